package messages

import (
	"bytes"
	"testing"
)

// FuzzRequestID: whatever a producer puts into a record's headers and value, there is one request id; the header's
// last value is it where no envelope has one; and a copy has the same contents, and bytes of its own.
func FuzzRequestID(f *testing.F) {
	f.Add([]byte("value"), RequestIDHeader, []byte("first"), RequestIDHeader, []byte("last"))
	f.Add([]byte(nil), RequestIDHeader, []byte(nil), "", []byte{})
	f.Add([]byte(`{"metaData":{"requestId":"r"}}`), "Request-Id", []byte("\xff"), RequestIDHeader, []byte{})
	f.Add([]byte(`{"metaData":`), RequestIDHeader, []byte("\xff\xfe\x00"), "\xff", []byte("x"))
	f.Add([]byte(`{"metaData":{"requestId":""}}`), RequestIDHeader, bytes.Repeat([]byte("id"), 1000), "k", []byte(nil))
	f.Fuzz(func(t *testing.T, value []byte, k1 string, v1 []byte, k2 string, v2 []byte) {
		r := &Record{Topic: "t", Value: value, Headers: []Header{{k1, v1}, {k2, v2}}}
		again := r.Redeliver()
		id := r.RequestID()
		if id == "" || r.RequestID() != id || again.RequestID() != id {
			t.Errorf("request ids %q, then %q, and %q at the next attempt", id, r.RequestID(), again.RequestID())
		}
		in, _ := r.Header(RequestIDHeader)
		if !bytes.Contains(value, []byte("metaData")) && len(in) > 0 && id != string(in) {
			t.Errorf("request id %q, want the header's %q", id, in)
		}
		last, ok := r.Header(k1)
		if want := v1; k1 != k2 && (!ok || !bytes.Equal(last, want)) || k1 == k2 && !bytes.Equal(last, v2) {
			t.Errorf("header %q is %q, %v", k1, last, ok)
		}
		if again.Size() != r.Size() || !bytes.Equal(again.Value, value) || (again.Value == nil) != (value == nil) {
			t.Errorf("the copy is another record: %d bytes for %d", again.Size(), r.Size())
		}
		for i, h := range again.Headers {
			if was := r.Headers[i]; h.Key != was.Key || !bytes.Equal(h.Value, was.Value) || (h.Value == nil) != (was.Value == nil) {
				t.Errorf("header %d of the copy is %q, want %q", i, h, was)
			}
			if len(h.Value) > 0 && &h.Value[0] == &r.Headers[i].Value[0] {
				t.Errorf("header %d of the copy is in the bytes of the record", i)
			}
		}
	})
}
