package consumer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// commanded is a consumer that writes down what it is told.
type commanded struct {
	askee

	told   []messages.Command
	answer func(ctx context.Context) (*messages.Result, error)
}

func (c *commanded) Do(ctx context.Context, cmd messages.Command) (*messages.Result, error) {
	c.told = append(c.told, cmd)
	if c.answer != nil {
		return c.answer(ctx)
	}
	head := messages.Target(cmd)
	if head.Offset < 0 {
		return &messages.Result{Head: head, Partitions: []messages.PartitionResult{{Partition: 3, Head: 7, State: messages.StateBusy, Changed: true}}}, nil
	}
	return &messages.Result{Head: head, State: messages.StateParked}, nil
}

const headBody = `{"topic":"orders","partition":3,"offset":1042}`

// post is a request as an operator's tool sends it.
func post(name, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/do/"+name, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

func byAnn(*http.Request, messages.Command) (string, error) { return "ann", nil }

func TestHTTPCommands(t *testing.T) {
	for _, c := range []struct{ name, body, told, answer string }{
		{"RetryHead", headBody, "&{Head:{Topic:orders Partition:3 Offset:1042} By:ann}", `{"command":"RetryHead","by":"ann","topic":"orders","partition":3,"head":1042,"state":"Parked"}`},
		{"SkipHead", headBody, "&{Head:{Topic:orders Partition:3 Offset:1042} By:ann}", `{"command":"SkipHead","by":"ann","topic":"orders","partition":3,"head":1042,"state":"Parked"}`},
		{"DeadLetterHead", headBody[:len(headBody)-1] + `,"to":"dlt"}`, "&{Head:{Topic:orders Partition:3 Offset:1042} To:dlt By:ann}", `{"command":"DeadLetterHead","by":"ann","topic":"orders","partition":3,"head":1042,"state":"Parked"}`},
		{"ParkHead", headBody[:len(headBody)-1] + `,"reason":"x"}`, "&{Head:{Topic:orders Partition:3 Offset:1042} Reason:x By:ann}", `{"command":"ParkHead","by":"ann","topic":"orders","partition":3,"head":1042,"state":"Parked"}`},
		{"Pause", `{"topic":"orders","partitions":[3]}`, "&{Topic:orders Partitions:[3] By:ann}", `{"command":"Pause","by":"ann","topic":"orders","partitions":[{"partition":3,"head":7,"state":"Busy","changed":true}]}`},
		{"Resume", `{"topic":"orders"}`, "&{Topic:orders Partitions:[] By:ann}", `{"command":"Resume","by":"ann","topic":"orders","partitions":[{"partition":3,"head":7,"state":"Busy","changed":true}]}`},
	} {
		ref := &commanded{}
		w := httptest.NewRecorder()
		http.StripPrefix("/ottla", HTTP{Ref: ref, Allow: byAnn}).ServeHTTP(w, func() *http.Request {
			r := post(c.name, c.body)
			r.URL.Path = "/ottla" + r.URL.Path
			return r
		}())
		if w.Code != 200 || w.Body.String() != c.answer+"\n" || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s", c.name, w.Code, w.Body)
		}
		if len(ref.told) != 1 || fmt.Sprintf("%+v", ref.told[0]) != c.told || !strings.HasSuffix(fmt.Sprintf("%T", ref.told[0]), "."+c.name) {
			t.Errorf("%s: told %+v", c.name, ref.told)
		}
	}
}

// Whatever is not a proper command of somebody who may give it does not reach the consumer.
func TestHTTPCommandsThatAreRefused(t *testing.T) {
	with := func(change func(r *http.Request)) *http.Request {
		r := post("SkipHead", headBody)
		change(r)
		return r
	}
	denied := func(_ *http.Request, cmd messages.Command) (string, error) {
		return "ann", fmt.Errorf("ann may not skip on %s", messages.Target(cmd).Topic)
	}
	liar := func(*http.Request, messages.Command) (string, error) { return "ann\nready", nil }
	nobody := func(*http.Request, messages.Command) (string, error) { return "", nil }
	for name, c := range map[string]struct {
		allow   func(*http.Request, messages.Command) (string, error)
		request *http.Request
		code    int
		text    string
	}{
		"read-only":             {nil, post("SkipHead", headBody), 403, "commands are not allowed here"},
		"denied":                {denied, post("SkipHead", headBody), 403, "not allowed: ann may not skip on orders"},
		"by nobody":             {nobody, post("SkipHead", headBody), 403, "has not said who asks"},
		"by two lines":          {liar, post("SkipHead", headBody), 403, "control characters"},
		"by GET":                {byAnn, with(func(r *http.Request) { r.Method = http.MethodGet }), 405, "only POST"},
		"by HEAD":               {byAnn, with(func(r *http.Request) { r.Method = http.MethodHead }), 405, "only POST"},
		"by PUT":                {byAnn, with(func(r *http.Request) { r.Method = http.MethodPut }), 405, "only POST"},
		"asked before by CORS":  {byAnn, with(func(r *http.Request) { r.Method = http.MethodOptions }), 405, "only POST"},
		"no such command":       {byAnn, post("Drain", "{}"), 404, "no such command"},
		"another case":          {byAnn, post("skiphead", headBody), 404, "no such command"},
		"a path behind it":      {byAnn, post("SkipHead/", headBody), 404, "no such command"},
		"a form":                {byAnn, with(func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }), 415, "Content-Type"},
		"text":                  {byAnn, with(func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }), 415, "Content-Type"},
		"no content type":       {byAnn, with(func(r *http.Request) { r.Header.Del("Content-Type") }), 415, "Content-Type"},
		"text with a parameter": {byAnn, with(func(r *http.Request) { r.Header.Set("Content-Type", "text/plain; x=application/json") }), 415, "Content-Type"},
		"another site":          {byAnn, with(func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }), 403, "cross-origin"},
		"another origin":        {byAnn, with(func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }), 403, "cross-origin"},
		"too long":              {byAnn, post("SkipHead", headBody+strings.Repeat(" ", 64<<10)), 413, "longer than 65536"},
		"not JSON":              {byAnn, post("SkipHead", "offset=1042"), 400, "not JSON"},
		"another's name":        {byAnn, post("SkipHead", headBody[:len(headBody)-1]+`,"by":"bob"}`), 400, "no field"},
	} {
		ref := &commanded{}
		w := httptest.NewRecorder()
		HTTP{Ref: ref, Allow: c.allow}.ServeHTTP(w, c.request)
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.text) || !strings.HasPrefix(w.Body.String(), `{"command":"`) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if (w.Header().Get("Allow") == http.MethodPost) != (c.code == 405) {
			t.Errorf("%s: Allow: %q", name, w.Header().Get("Allow"))
		}
		if len(ref.told) > 0 {
			t.Errorf("%s: the consumer was told %+v", name, ref.told)
		}
	}
}

// Allow sees what is asked for, before anybody is said to have asked.
func TestHTTPAllowSeesTheCommand(t *testing.T) {
	var seen []string
	h := HTTP{Ref: &commanded{}, Allow: func(r *http.Request, cmd messages.Command) (string, error) {
		seen = append(seen, fmt.Sprintf("%s %T%+v", r.Header.Get("Authorization"), cmd, cmd))
		return "ann", nil
	}}
	r := post("Pause", `{"topic":"orders"}`)
	r.Header.Set("Authorization", "Bearer x")
	r.Header.Set("Content-Type", "Application/JSON; charset=utf-8")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if want := "Bearer x *messages.Pause&{Topic:orders Partitions:[] By:}"; w.Code != 200 || len(seen) != 1 || seen[0] != want {
		t.Errorf("%d %s: seen %q", w.Code, w.Body, seen)
	}
}

func TestHTTPCommandsThatFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		head := messages.Head{Topic: "orders", Partition: 3, Offset: 1043}
		gone := &messages.Result{Head: head, State: messages.StateBusy, Err: errors.New("the head is 1043 by now")}
		for name, c := range map[string]struct {
			answer func(ctx context.Context) (*messages.Result, error)
			code   int
			body   string
			after  time.Duration
		}{
			"another head": {
				func(context.Context) (*messages.Result, error) { return gone, gone.Err }, 409,
				`{"command":"SkipHead","by":"ann","topic":"orders","partition":3,"head":1043,"state":"Busy","error":"the head is 1043 by now"}`, 0,
			},
			"not running": {
				func(context.Context) (*messages.Result, error) { return nil, ErrNotRunning }, 503,
				`{"command":"SkipHead","by":"ann","error":"` + ErrNotRunning.Error() + `"}`, 0,
			},
			"nothing": {
				func(context.Context) (*messages.Result, error) { return nil, nil }, 503, `{"command":"SkipHead","by":"ann","error":"no answer"}`, 0,
			},
			"no answer": {
				func(ctx context.Context) (*messages.Result, error) { <-ctx.Done(); return nil, ctx.Err() }, 504,
				`{"command":"SkipHead","by":"ann","error":"context deadline exceeded: the command may be carried out yet, the status will tell"}`, 75 * time.Second,
			},
		} {
			began, w := time.Now(), httptest.NewRecorder()
			HTTP{Ref: &commanded{answer: c.answer}, Allow: byAnn}.ServeHTTP(w, post("SkipHead", headBody))
			if w.Code != c.code || w.Body.String() != c.body+"\n" || time.Since(began) != c.after {
				t.Errorf("%s: %d after %v: %s", name, w.Code, time.Since(began), w.Body)
			}
		}
		w := httptest.NewRecorder()
		HTTP{Allow: byAnn}.ServeHTTP(w, post("SkipHead", headBody))
		if w.Code != 503 {
			t.Errorf("without a Ref: %d %s", w.Code, w.Body)
		}
	})
}
