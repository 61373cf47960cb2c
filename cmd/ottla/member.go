package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/ottla-go/ottla/messages"
)

// patience is a little longer than a consumer's own with a command.
const patience = 80 * time.Second

// answerMax bounds what is read of an answer: a status of ten thousand partitions is a few megabytes.
const answerMax = 64 << 20

// member is one that serves consumer.HTTP.
type member struct {
	url            string
	user, password string
}

// answer is what consumer.HTTP answers a command with.
type answer struct {
	By         string `json:"by"`
	Head       int64  `json:"head"`
	State      string `json:"state"`
	Error      string `json:"error"`
	Partitions []struct {
		Partition int32  `json:"partition"`
		State     string `json:"state"`
	} `json:"partitions"`
}

// members reads the flags.
func (x *tool) members(cmd *cli.Command) ([]member, error) {
	list := cmd.StringSlice("url")
	if len(list) == 0 {
		list = strings.FieldsFunc(x.getenv("OTTLA_URL"), func(r rune) bool { return r == ',' || r == ' ' })
	}
	if len(list) == 0 {
		return nil, errors.New("ottla: no member is known: give --url http://host:port/path, where it serves consumer.HTTP, or set OTTLA_URL")
	}
	user := cmd.String("user")
	if user == "" {
		user = x.getenv("OTTLA_USER")
	}
	name, password, _ := strings.Cut(user, ":")
	var all []member
	for _, s := range list {
		u, err := url.Parse(s)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("ottla: --url %q: give it as http://127.0.0.1:8080/ottla", s)
		}
		all = append(all, member{strings.TrimSuffix(s, "/"), name, password})
	}
	return all, nil
}

func (m member) status(ctx context.Context) (*messages.Status, error) {
	s := &messages.Status{}
	code, body, err := m.ask(ctx, http.MethodGet, "/status", nil)
	switch {
	case err != nil:
		return nil, err
	case code != http.StatusOK:
		return nil, fmt.Errorf("ottla: %s/status answers %d: %s", m.url, code, printable(string(body)))
	}
	if err := json.Unmarshal(body, s); err != nil {
		return nil, fmt.Errorf("ottla: %s/status answers what is no status: %w", m.url, err)
	}
	return s, nil
}

// do gives a command. The error says why it was refused.
func (m member) do(ctx context.Context, command string, body map[string]any) (answer, error) {
	var a answer
	text, err := json.Marshal(body)
	if err != nil {
		return a, fmt.Errorf("ottla: %w", err)
	}
	code, said, err := m.ask(ctx, http.MethodPost, "/do/"+command, text)
	if err != nil {
		return a, err
	}
	if json.Unmarshal(said, &a) != nil { // it was not consumer.HTTP that has answered
		a.Error = string(said)
	}
	if code != http.StatusOK {
		return a, fmt.Errorf("ottla: %s refuses %s (%d): %s", m.url, command, code, printable(a.Error))
	}
	return a, nil
}

func (m member) ask(ctx context.Context, method, path string, body []byte) (code int, said []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, m.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("ottla: %w", err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if m.user != "" {
		r.SetBasicAuth(m.user, m.password)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, fmt.Errorf("ottla: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	said, err = io.ReadAll(io.LimitReader(res.Body, answerMax))
	if err != nil {
		return 0, nil, fmt.Errorf("ottla: %s%s: %w", m.url, path, err)
	}
	return res.StatusCode, bytes.TrimSpace(said), nil
}
