package consumer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ottla-go/ottla/messages"
)

// commandFields are the fields of each command's body. Who asks is not among them.
var commandFields = map[string]fields{
	"RetryHead":      {needed: []string{"topic", "partition", "offset"}},
	"SkipHead":       {needed: []string{"topic", "partition", "offset"}},
	"DeadLetterHead": {needed: []string{"topic", "partition", "offset", "to"}},
	"ParkHead":       {needed: []string{"topic", "partition", "offset"}, optional: []string{"reason"}},
	"Pause":          {needed: []string{"topic"}, optional: []string{"partitions"}},
	"Resume":         {needed: []string{"topic"}, optional: []string{"partitions"}},
}

type fields struct{ needed, optional []string }

func (f fields) all() []string { return slices.Concat(f.needed, f.optional) }

// commandBody is what the fields say.
type commandBody struct {
	topic, to, reason string
	partition         int32
	partitions        []int32
	offset            int64
}

// textMax bounds the texts in a command, in bytes. A park's reason travels with the committed offset, where there is not
// much more room.
const textMax = 1000

// decodeCommand reads a command's body. It is stricter than package json: a field that is unknown, said twice, null or
// missing would be an operator's mistake, and what is guessed instead may be another record.
func decodeCommand(name string, body []byte) (messages.Command, error) {
	b, err := decodeBody(commandFields[name], body)
	if err != nil {
		return nil, err
	}
	head := messages.Head{Topic: b.topic, Partition: b.partition, Offset: b.offset}
	switch name {
	case "RetryHead":
		return &messages.RetryHead{Head: head}, nil
	case "SkipHead":
		return &messages.SkipHead{Head: head}, nil
	case "DeadLetterHead":
		return &messages.DeadLetterHead{Head: head, To: b.to}, nil
	case "ParkHead":
		return &messages.ParkHead{Head: head, Reason: b.reason}, nil
	case "Pause":
		return &messages.Pause{Topic: b.topic, Partitions: b.partitions}, nil
	case "Resume":
		return &messages.Resume{Topic: b.topic, Partitions: b.partitions}, nil
	}
	return nil, fmt.Errorf("there is no command %q", name)
}

// sign writes down who asks.
func sign(cmd messages.Command, by string) {
	switch c := cmd.(type) {
	case *messages.RetryHead:
		c.By = by
	case *messages.SkipHead:
		c.By = by
	case *messages.DeadLetterHead:
		c.By = by
	case *messages.ParkHead:
		c.By = by
	case *messages.Pause:
		c.By = by
	case *messages.Resume:
		c.By = by
	}
}

func decodeBody(has fields, body []byte) (b commandBody, err error) {
	if !utf8.Valid(body) || !json.Valid(body) {
		return b, errors.New("the body is not JSON")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return b, errors.New("the body is not a JSON object")
	}
	var said []string
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return b, err
		}
		field, _ := key.(string) // of an object, it is one
		if !slices.Contains(has.all(), field) {
			return b, fmt.Errorf("the command has no field %q; it has %s", field, strings.Join(has.all(), ", "))
		}
		if slices.Contains(said, field) {
			return b, fmt.Errorf("%s is said twice", field)
		}
		said = append(said, field)
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return b, fmt.Errorf("%s: %w", field, err)
		}
		if err := b.set(field, value); err != nil {
			return b, fmt.Errorf("%s: %w", field, err)
		}
	}
	for _, field := range has.needed {
		if !slices.Contains(said, field) {
			return b, fmt.Errorf("%s is missing", field)
		}
	}
	return b, nil
}

// set reads one field.
func (b *commandBody) set(field string, value json.RawMessage) error {
	if string(value) == "null" {
		return errors.New("null is no value; what may be left out has to be left out")
	}
	switch field {
	case "topic":
		return readText(&b.topic, value, true)
	case "to":
		return readText(&b.to, value, true)
	case "reason":
		return readText(&b.reason, value, false)
	case "partition":
		return readNumber(&b.partition, value, 0)
	case "partitions":
		return b.setPartitions(value)
	default: // the offset; -1 is the head of a partition whose start is not known
		return readNumber(&b.offset, value, -1)
	}
}

func (b *commandBody) setPartitions(value json.RawMessage) error {
	var list []json.RawMessage
	if err := json.Unmarshal(value, &list); err != nil {
		return errors.New("it has to be a list")
	}
	if len(list) == 0 {
		return errors.New("it is empty; for all of the topic it has to be left out")
	}
	b.partitions = make([]int32, len(list))
	for i := range list {
		if err := readNumber(&b.partitions[i], list[i], 0); err != nil {
			return err
		}
	}
	return nil
}

// readText reads what goes to logs and to the plain text of a probe: line breaks would make lines of their own there.
func readText(to *string, value json.RawMessage, needed bool) error {
	if err := json.Unmarshal(value, to); err != nil {
		return errors.New("it has to be a text")
	}
	if needed && *to == "" {
		return errors.New("it is empty")
	}
	return soundText(*to)
}

func soundText(s string) error {
	if len(s) > textMax {
		return fmt.Errorf("it is longer than %d bytes", textMax)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }) {
		return errors.New("it contains control characters")
	}
	return nil
}

func readNumber[N int32 | int64](to *N, value json.RawMessage, least N) error {
	if err := json.Unmarshal(value, to); err != nil || *to < least || string(value) == "null" {
		return fmt.Errorf("it has to be a whole number, and no less than %d", least)
	}
	return nil
}
