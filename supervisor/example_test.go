package supervisor_test

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

var (
	errUnknownCustomer = errors.New("unknown customer")
	errBusy            = errors.New("downstream is busy")
)

var policy = supervisor.Policy{
	supervisor.On(supervisor.Is(errUnknownCustomer), supervisor.Park("customer is not known yet")),
	supervisor.On(supervisor.Is(errBusy), supervisor.Retry(supervisor.Quick()).Times(5), supervisor.Park("downstream is away")),
	supervisor.On(supervisor.As[*net.OpError]().And(supervisor.Topic("orders")), supervisor.Retry(supervisor.Every(time.Minute)).For(time.Hour), supervisor.Escalate()),
	supervisor.On(supervisor.Panic(), supervisor.Restart(supervisor.Every(time.Second)).Times(3), supervisor.DeadLetter("orders.dlt")),
	supervisor.On(supervisor.Any(), supervisor.Retry(supervisor.Backoff{})),
}

// What a policy will do, in words: the same text stands in the log when a consumer starts.
func ExamplePolicy_Explain() {
	fmt.Print(policy.Explain())
	// Output:
	// 1. error is "unknown customer": Park "customer is not known yet"
	// 2. error is "downstream is busy": Retry after 200ms, 400ms, 800ms, 1.6s, … up to 1m (full jitter), 5 times; then Park "downstream is away" (after a panic, Retry is carried out as Restart)
	// 3. error is a *net.OpError and topic orders: Retry after 1m, for 1h; then Escalate (after a panic, Retry is carried out as Restart)
	// 4. panic: Restart after 1s, 3 times; then DeadLetter to orders.dlt
	// 5. any failure: Retry after 10s, 1m40s, 16m40s, then 1h, for ever
	// a dead letter that cannot be written: Retry after 10s, 1m40s, 16m40s, then 1h, for ever
}

// A policy is tested as a table, without a consumer: the failures of one record in, the decisions out.
func ExamplePolicy_Decide() {
	crash := messages.Failure{Class: messages.ClassPanic, Err: &messages.PanicError{Value: "boom"}}
	for i, d := range policy.Decide(crash, crash, crash, crash) {
		fmt.Println("failure", i+1, d.Action, d.Delay, "left:", d.Left)
	}
	// Output:
	// failure 1 Restart 1s left: 2
	// failure 2 Restart 1s left: 1
	// failure 3 Restart 1s left: 0
	// failure 4 DeadLetter 0s left: -1
}

// All faults of a policy are reported together, each with its remedy.
func ExamplePolicy_Validate() {
	err := supervisor.Policy{
		supervisor.On(supervisor.Any(), supervisor.Retry(supervisor.Quick()), supervisor.Skip()),
		supervisor.On(supervisor.Panic(), supervisor.Park("look at it")),
	}.Validate()
	fmt.Println(err)
	// Output:
	// ottla: policy rule 1 (any failure): step 1 (Retry): has no budget, so that the steps behind it are never reached: add .Times(n), .Within(n, window) or .For(time), or remove those
	// ottla: policy rule 2 (panic): is never reached: rule 1 (any failure) comes first and matches all of it; put this rule before that one, or remove it
}

func ExampleBackoff_Delay() {
	for _, attempt := range []int{1, 2, 3, 4, 1_000_000} {
		fmt.Println(attempt, supervisor.Backoff{}.Delay(attempt))
	}
	// Output:
	// 1 10s
	// 2 1m40s
	// 3 16m40s
	// 4 1h0m0s
	// 1000000 1h0m0s
}
