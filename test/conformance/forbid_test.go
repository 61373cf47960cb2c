package conformance

import (
	"context"
	"os"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// forbid takes the right to do something with a topic, to write to it or to describe it, from the user of secured, and from
// everybody on the brokers in this process, and answers how it is given back.
func (k *kafka) forbid(t *testing.T, topic string, op kmsg.ACLOperation) (allow func()) {
	t.Helper()
	if k.fake != nil {
		key := map[kmsg.ACLOperation]kmsg.Key{kmsg.ACLOperationWrite: kmsg.Produce, kmsg.ACLOperationDescribe: kmsg.Metadata}[op]
		return k.fake.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Topic: topic, Err: kerr.TopicAuthorizationFailed, Count: -1}).Remove
	}
	req := kmsg.NewPtrCreateACLsRequest()
	for op, permission := range map[kmsg.ACLOperation]kmsg.ACLPermissionType{
		op: kmsg.ACLPermissionTypeDeny, kmsg.ACLOperationAll: kmsg.ACLPermissionTypeAllow, // once there is one rule, what none allows is denied
	} {
		c := kmsg.NewCreateACLsRequestCreation()
		c.ResourceType, c.ResourceName, c.ResourcePatternType = kmsg.ACLResourceTypeTopic, topic, kmsg.ACLResourcePatternTypeLiteral
		c.Principal, c.Host, c.Operation, c.PermissionType = "User:"+os.Getenv("OTTLA_TEST_USER"), "*", op, permission
		req.Creations = append(req.Creations, c)
	}
	for _, r := range ask[*kmsg.CreateACLsResponse](k, req).Results {
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
			t.Fatalf("forbid %s: %v", topic, err)
		}
	}
	eventually(t, "every node knows that "+topic+" is not for everybody", func() bool { // who answers has asked another one
		nodes := k.asker().DiscoveredBrokers()
		for _, node := range nodes {
			if k.rules(t, node, topic) != len(req.Creations) {
				return false
			}
		}
		return len(nodes) >= len(k.brokers)
	})
	return func() {
		req := kmsg.NewPtrDeleteACLsRequest()
		f := kmsg.NewDeleteACLsRequestFilter()
		f.ResourceType, f.ResourceName, f.ResourcePatternType = kmsg.ACLResourceTypeTopic, &topic, kmsg.ACLResourcePatternTypeLiteral
		f.Operation, f.PermissionType = kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
		req.Filters = append(req.Filters, f)
		for _, r := range ask[*kmsg.DeleteACLsResponse](k, req).Results {
			if err := kerr.ErrorForCode(r.ErrorCode); err != nil || len(r.MatchingACLs) != 2 {
				t.Errorf("allow %s: %d rules are gone: %v", topic, len(r.MatchingACLs), err)
			}
		}
	}
}

// rules is how many a node has for a topic.
func (k *kafka) rules(t *testing.T, node *kgo.Broker, topic string) (n int) {
	t.Helper()
	req := kmsg.NewPtrDescribeACLsRequest()
	req.ResourceType, req.ResourceName, req.ResourcePatternType = kmsg.ACLResourceTypeTopic, &topic, kmsg.ACLResourcePatternTypeLiteral
	req.Operation, req.PermissionType = kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	resp, err := node.Request(ctx, req)
	if err != nil {
		return 0
	}
	for _, r := range resp.(*kmsg.DescribeACLsResponse).Resources {
		n += len(r.ACLs)
	}
	return n
}
