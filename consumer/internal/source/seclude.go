package source

// seclusion finds the batch that cannot be decoded. sarama decodes an answer as a whole, so that one corrupt batch
// costs every partition of the request its records, for ever (measured: a sarama consumer gets nothing more from
// that broker). Every partition of a spoiled answer is therefore asked for apart. Those whose own answers decode
// go back among the others; the sick one asks for less and less, until an answer that the broker fills with one
// single batch does not decode: that is the batch. It is pure; the zero value is a healthy partition.
//
// A partition is also asked for apart, once, when it starves (see appetite).
type seclusion struct {
	apart bool // it is asked for in requests of its own
	most  int  // what it may ask for then; 0: as much as ever
}

// one makes the broker send exactly one batch: the first comes whole, whatever was asked for.
const one = 1

// least is the smallest ask but one that is worth a try: the usual producer's batch is larger.
const least = 4 << 10

// seclude begins: the partition is asked for apart, with its usual amount.
func (s *seclusion) seclude() { *s = seclusion{apart: true} }

// cap bounds what the partition asks for.
func (s *seclusion) cap(ask int) int {
	if s.most == 0 {
		return ask
	}
	return min(ask, s.most)
}

// passed: an answer of its own was fine. What spoiled the others may lie further on, so a partition that has been
// spoiled alone doubles its asks until they are as large as ever.
func (s *seclusion) passed(asked, usual int) {
	if s.most == 0 || asked >= usual {
		*s = seclusion{}
		return
	}
	s.most = max(2*asked, least)
}

// spoiled: an answer of its own could not be decoded. It reports whether the culprit is found.
func (s *seclusion) spoiled(asked int) (found bool) {
	if asked == one {
		*s = seclusion{}
		return true
	}
	if s.most = asked / 4; s.most < least {
		s.most = one
	}
	return false
}
