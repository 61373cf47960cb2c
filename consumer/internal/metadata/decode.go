package metadata

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// Decode reads what Encode wrote. The empty string carries nothing. With an error, which is ErrForeign or
// ErrDamaged, the note is the zero value.
func Decode(s string) (Note, error) {
	if s == "" {
		return Note{}, nil
	}
	body, ours := strings.CutPrefix(s, prefix)
	if !ours {
		return Note{}, ErrForeign
	}
	raw, err := encoding.DecodeString(body)
	if err != nil {
		return Note{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	n, err := read(raw)
	if err != nil {
		return Note{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return n, nil
}

func read(raw []byte) (n Note, err error) {
	var seen [256]bool
	for len(raw) > 0 {
		kind := raw[0]
		length, used := binary.Uvarint(raw[1:])
		raw = raw[1:]
		if used <= 0 || length > uint64(len(raw)-used) {
			return Note{}, fmt.Errorf("field of type %d ends early", kind)
		}
		value := raw[used : used+int(length)]
		raw = raw[used+int(length):]
		if seen[kind] {
			return Note{}, fmt.Errorf("two fields of type %d", kind)
		}
		seen[kind] = true

		switch kind {
		case typeAttempts:
			var v int64
			v, err = positive(kind, value, MaxAttempt)
			n.Attempt = int(v)
		case typeParked:
			if length != 0 {
				err = fmt.Errorf("field of type %d has a value", kind)
			}
			n.Parked = true
		case typeReason:
			if !utf8.Valid(value) {
				err = fmt.Errorf("field of type %d is not UTF-8", kind)
			}
			n.Reason = string(value)
		case typeFinished:
			n.Finished = append([]byte(nil), value...)
		case typePartitions:
			var v int64
			v, err = positive(kind, value, math.MaxInt32)
			n.Partitions = int32(v)
		default: // of a later version
		}
		if err != nil {
			return Note{}, err
		}
	}
	if !n.Parked {
		n.Reason = ""
	}
	return n, nil
}

// positive reads a varint that is the whole value and lies in 1..highest.
func positive(kind byte, value []byte, highest uint64) (int64, error) {
	v, used := binary.Uvarint(value)
	if used != len(value) || v == 0 || v > highest {
		return 0, fmt.Errorf("field of type %d is no number in 1..%d", kind, highest)
	}
	return int64(v), nil
}
