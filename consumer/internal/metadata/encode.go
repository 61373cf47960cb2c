package metadata

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

const prefix = "ottla1:"

// The field types: see the package's documentation. They are part of what is stored and never change.
const (
	typeAttempts   = 1
	typeParked     = 2
	typeReason     = 3
	typeFinished   = 4
	typePartitions = 5
)

var encoding = base64.RawURLEncoding.Strict()

// Encode writes a note. What does not fit into [Limit] is cut, the reason first, then the attempts; ErrTooLong says
// that the finished ranges, which are never cut, do not fit. Bytes of the reason that are not UTF-8 are replaced.
func Encode(n Note) (string, error) { return encodeWithin(Limit, n) }

// encodeWithin is Encode within so many raw bytes.
func encodeWithin(room int, n Note) (string, error) {
	room -= size(n.Finished)
	if n.Parked {
		room -= 2
	}
	partitions := number(uint64(max(n.Partitions, 0)))
	room -= size(partitions)
	if room < 0 {
		return "", ErrTooLong
	}
	attempts := number(uint64(min(max(n.Attempt, 0), MaxAttempt)))
	if room < size(attempts) {
		attempts = nil
	}
	room -= size(attempts)
	reason := ""
	if n.Parked {
		reason = cut(strings.ToValidUTF8(n.Reason, "\uFFFD"), room)
	}

	var raw []byte
	raw = field(raw, typeAttempts, attempts)
	if n.Parked {
		raw = append(raw, typeParked, 0)
	}
	raw = field(raw, typeReason, []byte(reason))
	raw = field(raw, typeFinished, n.Finished)
	raw = field(raw, typePartitions, partitions)
	if len(raw) == 0 {
		return "", nil
	}
	return prefix + encoding.EncodeToString(raw), nil
}

// number is n as a varint; 0 is left out.
func number(n uint64) []byte {
	if n == 0 {
		return nil
	}
	return binary.AppendUvarint(nil, n)
}

// field appends one field; an empty one is left out.
func field(raw []byte, kind byte, value []byte) []byte {
	if len(value) == 0 {
		return raw
	}
	raw = append(raw, kind)
	raw = binary.AppendUvarint(raw, uint64(len(value)))
	return append(raw, value...)
}

// size is how many bytes field takes for the value.
func size[T ~[]byte | ~string](value T) int {
	if len(value) == 0 {
		return 0
	}
	return 1 + len(binary.AppendUvarint(nil, uint64(len(value)))) + len(value)
}

// cut shortens valid UTF-8 so that its field takes at most room bytes, between two characters.
func cut(s string, room int) string {
	if size(s) <= room {
		return s
	}
	s = s[:max(min(room-2, len(s)), 0)] // a type and a length of at least one byte
	for len(s) > 0 && (size(s) > room || !utf8.ValidString(s)) {
		s = s[:len(s)-1]
	}
	return s
}
