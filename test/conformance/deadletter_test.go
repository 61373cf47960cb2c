package conformance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// letters reads n records of a topic as another client does, in the order of each partition.
func (k *kafka) letters(topic string, n int) (all []*kgo.Record) {
	k.t.Helper()
	client := k.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer client.Close()
	ctx, cancel := context.WithTimeout(k.t.Context(), patience)
	defer cancel()
	for len(all) < n {
		all = append(all, client.PollFetches(ctx).Records()...)
		if ctx.Err() != nil {
			k.t.Fatalf("%d letters in %s after %v, want %d", len(all), topic, patience, n)
		}
	}
	return all
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// TestDeadLetters: elsewhere a bad record blocks its partition, or is committed before it is safe. Here every bad record of
// three partitions is in the dead letters' topic, in the partition of its number and in order, before it is committed; with
// the next owner, too, nothing of it comes again.
func TestDeadLetters(t *testing.T) {
	k := cluster(t)
	topic := k.topic(3)
	dlt := topic + ".dlt"
	group := "g-" + topic
	k.fill(topic, 3, 0, 30)
	cfg := k.config("a", group, topic)
	cfg.CreateDeadLetterTopics = true
	cfg.Policy = supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Retry(supervisor.Every(0)).Times(1), supervisor.DeadLetter(dlt))}
	cfg.Handler = func(_ context.Context, rec *consumer.Record) error {
		if rec.Offset%3 == 1 {
			return fmt.Errorf("offset %d is bad", rec.Offset)
		}
		return nil
	}
	a := start(t, "a", cfg)
	eventually(t, "all is committed", func() bool {
		at := k.committed(group, topic)
		return at[0] == 30 && at[1] == 30 && at[2] == 30
	})
	a.leave()
	if got := len(told[*messages.DeadLettered](a)); got != 30 {
		t.Errorf("%d events of dead letters, want 30", got)
	}
	offsets := map[int32][]string{}
	for _, r := range k.letters(dlt, 30) {
		offset := header(r, "ottla-dlt-offset")
		offsets[r.Partition] = append(offsets[r.Partition], offset)
		for key, want := range map[string]string{
			"ottla-dlt-topic": topic, "ottla-dlt-partition": fmt.Sprint(r.Partition), "ottla-dlt-group": group, "ottla-dlt-attempts": "2",
			"ottla-dlt-class": "Handler", "ottla-dlt-error": "offset " + offset + " is bad", "ottla-dlt-rule": "any failure", "ottla-dlt-count": "1",
		} {
			if got := header(r, key); got != want {
				t.Errorf("%s of %s/%d@%s is %q, want %q", key, topic, r.Partition, offset, got, want)
			}
		}
	}
	want := []string{"1", "4", "7", "10", "13", "16", "19", "22", "25", "28"}
	for p := range int32(3) {
		if !slices.Equal(offsets[p], want) {
			t.Errorf("partition %d has the letters of %v, want %v", p, offsets[p], want)
		}
	}
}

// TestDeadLetterTopicMissing: a topic that is missing is told at the start, not when the first record is in need of it; and
// asking for it does not make it.
func TestDeadLetterTopicMissing(t *testing.T) {
	k := cluster(t)
	topic := k.topic(1)
	cfg := k.config("a", "g-"+topic, topic)
	cfg.Handler = func(context.Context, *consumer.Record) error { return nil }
	cfg.Policy = supervisor.Policy{supervisor.On(supervisor.Decode(), supervisor.DeadLetter(topic+".dlt"))}
	a := start(t, "a", cfg)
	received(t, a.ended, "the end")
	if a.result == nil || !strings.Contains(a.result.Error(), "there is no topic "+topic+".dlt for dead letters: create it") {
		t.Errorf("Run answered %v", a.result)
	}
	if k.exists(topic + ".dlt") {
		t.Error("asking has made the topic")
	}
}

// TestDeadLetterTopicForbidden: so is a topic that this user may not see, and what to do about it.
func TestDeadLetterTopicForbidden(t *testing.T) {
	k := cluster(t)
	topic, dlt := k.topic(1), k.topic(1)
	defer k.forbid(t, dlt, kmsg.ACLOperationDescribe)()
	cfg := k.config("a", "g-"+topic, topic)
	if k.fake == nil {
		cfg = k.secured("a", "g-"+topic, topic)
	}
	cfg.Handler = func(context.Context, *consumer.Record) error { return nil }
	cfg.Policy = supervisor.Policy{supervisor.On(supervisor.Decode(), supervisor.DeadLetter(dlt))}
	a := start(t, "a", cfg)
	received(t, a.ended, "the end")
	if a.result == nil || !strings.Contains(a.result.Error(), dlt) || !strings.Contains(a.result.Error(), "allow this user to describe it and to write to it") {
		t.Errorf("Run answered %v", a.result)
	}
}

// TestDeadLetterRefused: the brokers refuse a letter as too large. The record is neither lost nor committed, whatever the
// policy does about everything else; it is written as soon as it can be.
func TestDeadLetterRefused(t *testing.T) {
	k := cluster(t)
	topic := k.topic(1)
	dlt := k.topic(1)
	k.limit(dlt, "1000")
	group := "g-" + topic
	k.produce(topic, 1, 0, 3, func(int) []byte { return []byte(strings.Repeat("x", 10_000)) })
	cfg := k.config("a", group, topic)
	cfg.Policy = supervisor.Policy{
		supervisor.On(supervisor.When("the second", func(f *messages.Failure) bool { return f.Offset == 1 }), supervisor.DeadLetter(dlt)),
		supervisor.On(supervisor.Any(), supervisor.Skip()),
	}
	cfg.Handler = func(_ context.Context, rec *consumer.Record) error {
		if rec.Offset == 1 {
			return fmt.Errorf("bad")
		}
		return nil
	}
	a := start(t, "a", cfg)
	eventually(t, "the letter is refused", func() bool {
		p := a.partitions(messages.StateHolding)[0]
		return p.Failure != nil && p.Failure.Class == messages.ClassDeadLetter
	})
	if p := a.partitions()[0]; p.Head != 1 || !strings.Contains(p.Error, dlt) || time.Until(p.NextRetry) > 11*time.Second {
		t.Errorf("%+v", p)
	}
	if at := k.committed(group, topic)[0]; at != 1 {
		t.Errorf("committed %d, want 1", at)
	}
	k.limit(dlt, "1000000")
	eventually(t, "it is written", func() bool {
		_, err := a.Do(t.Context(), &messages.RetryHead{Head: messages.Head{Topic: topic, Offset: 1}, By: "the test"})
		return err != nil && len(told[*messages.DeadLettered](a)) == 1
	})
	eventually(t, "all is committed", func() bool { return k.committed(group, topic)[0] == 3 })
	a.leave()
	if got := k.letters(dlt, 1); len(got[0].Value) != 10_000 {
		t.Errorf("a letter of %d bytes", len(got[0].Value))
	}
}

// limit sets the largest batch that a topic takes.
func (k *kafka) limit(topic, bytes string) {
	k.t.Helper()
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	c.Name, c.Value = "max.message.bytes", &bytes
	r.Configs = append(r.Configs, c)
	req.Resources = append(req.Resources, r)
	if resp := ask[*kmsg.IncrementalAlterConfigsResponse](k, req); resp.Resources[0].ErrorCode != 0 {
		k.t.Fatalf("%s: max.message.bytes: %v", topic, resp.Resources[0].ErrorMessage)
	}
}
