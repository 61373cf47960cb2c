package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/ottla-go/ottla/messages"
)

const (
	// commandMax bounds a command's body, in bytes: a Pause may name ten thousand partitions.
	commandMax = 64 << 10
	// commandTimeout bounds the wait for an answer. A dead letter and an offset store may take 30 s each.
	commandTimeout = 75 * time.Second
)

// commandAnswer is what a command is answered with, whatever came of it.
type commandAnswer struct {
	Command    string            `json:"command"`
	By         string            `json:"by,omitempty"`
	Topic      string            `json:"topic,omitempty"`
	Partition  *int32            `json:"partition,omitempty"`
	Head       *int64            `json:"head,omitempty"` // when it was carried out, or refused; -1: none
	State      string            `json:"state,omitempty"`
	Partitions []partitionAnswer `json:"partitions,omitempty"`
	Error      string            `json:"error,omitempty"`
}

// partitionAnswer is one of those that a Pause or a Resume is about.
type partitionAnswer struct {
	Partition int32  `json:"partition"`
	Head      int64  `json:"head"`
	State     string `json:"state"`
	Changed   bool   `json:"changed"`
}

// refusal is an error with the code that it is answered with.
type refusal struct {
	code int
	err  error
}

func refuse(code int, format string, args ...any) *refusal {
	return &refusal{code, fmt.Errorf(format, args...)}
}

// command answers POST /do/{command}.
func (h HTTP) command(w http.ResponseWriter, r *http.Request, name string) {
	answer := commandAnswer{Command: name}
	code := http.StatusOK
	cmd, by, no := h.admit(w, r, name)
	if no == nil {
		answer.By = by
		no = h.carryOut(r.Context(), cmd, &answer)
	}
	if no != nil {
		code, answer.Error = no.code, no.err.Error()
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff") // an error may quote the request
	body, err := json.Marshal(answer)
	if err != nil { // nothing in it can fail
		code = http.StatusInternalServerError
	}
	w.WriteHeader(code)
	_, _ = w.Write(append(body, '\n')) // a reader that has gone is no concern of ours
}

// admit answers what is to be done and who has asked, once Allow has let it pass.
//
// A browser carries its user's credentials also to what another site's page asks it to send: it may not send this content
// type there without asking first, which nobody answers, and it says where a request comes from.
func (h HTTP) admit(w http.ResponseWriter, r *http.Request, name string) (cmd messages.Command, by string, no *refusal) {
	_, known := commandFields[name]
	switch {
	case !known:
		return nil, "", refuse(http.StatusNotFound, "there is no such command")
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		return nil, "", refuse(http.StatusMethodNotAllowed, "only POST")
	case h.Allow == nil:
		return nil, "", refuse(http.StatusForbidden, "commands are not allowed here")
	}
	if err := crossOrigin.Check(r); err != nil {
		return nil, "", refuse(http.StatusForbidden, "%w", err)
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, "", refuse(http.StatusUnsupportedMediaType, "the Content-Type has to be application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, commandMax))
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return nil, "", refuse(http.StatusRequestEntityTooLarge, "the body is longer than %d bytes", commandMax)
	case err != nil:
		return nil, "", refuse(http.StatusBadRequest, "the body cannot be read: %w", err)
	}
	if cmd, err = decodeCommand(name, body); err != nil {
		return nil, "", refuse(http.StatusBadRequest, "%w", err)
	}
	if by, err = h.Allow(r, cmd); err != nil {
		return nil, "", refuse(http.StatusForbidden, "not allowed: %w", err)
	}
	if by == "" {
		return nil, "", refuse(http.StatusForbidden, "not allowed: consumer.HTTP.Allow has not said who asks")
	}
	if err := soundText(by); err != nil { // an asker may choose it
		return nil, "", refuse(http.StatusForbidden, "not allowed: the name of who asks: %w", err)
	}
	sign(cmd, by)
	return cmd, by, nil
}

var crossOrigin = http.NewCrossOriginProtection()

// carryOut asks the consumer, and writes into the answer what it has said.
func (h HTTP) carryOut(ctx context.Context, cmd messages.Command, answer *commandAnswer) *refusal {
	if h.Ref == nil {
		return refuse(http.StatusServiceUnavailable, "consumer.HTTP has no Ref")
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	res, err := h.Ref.Do(ctx, cmd)
	switch {
	case res != nil:
	case ctx.Err() != nil:
		return refuse(http.StatusGatewayTimeout, "%w: the command may be carried out yet, the status will tell", err)
	case err != nil:
		return refuse(http.StatusServiceUnavailable, "%w", err)
	default:
		return refuse(http.StatusServiceUnavailable, "no answer")
	}
	answer.Topic = messages.Target(cmd).Topic
	if res.State != 0 {
		answer.Partition, answer.Head, answer.State = &res.Head.Partition, &res.Head.Offset, res.State.String()
	}
	for _, p := range res.Partitions {
		answer.Partitions = append(answer.Partitions, partitionAnswer{p.Partition, p.Head, p.State.String(), p.Changed})
	}
	if res.Err != nil {
		return refuse(http.StatusConflict, "%w", res.Err)
	}
	return nil
}
