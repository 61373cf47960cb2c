package source

// What a partition asks for while its compression ratio is not known: an eighth of its room, up to slowStart. Many
// partitions that begin at the same time would otherwise overshoot their common total by the ratio, each of them.
const (
	slowStart = 64 << 10
	caution   = 8
)

// appetite decides how many bytes to ask for on behalf of one partition. A broker counts bytes on the wire, a backlog
// counts bytes in memory (decompressed, and an overhead for each record), and the ratio between the two shows only
// in what has come. It is pure; the zero value is a partition that nothing is known of.
//
// The broker sends whole batches only: the first batch of an answer whatever its size, the others while they fit
// (KIP-74). So a batch that is larger than what its partition asks for comes when the partition happens to be the
// first of the answer, and otherwise the partition gets nothing although there is something. floor grows until
// such a batch fits; the price is that one batch may overshoot the room, which the broker's rule costs anyway. A crowd,
// which asks for more than an answer holds, leaves most partitions with nothing whatever the size of their batches:
// there the floor stays as it is, and a batch that is too large is asked for alone.
type appetite struct {
	ratio  float64 // bytes in memory for a byte on the wire, at least; 0: nothing has come yet
	known  bool    // the ratio was measured: answers as small as those at the end of a log only bound it from below
	floor  int     // least to ask for
	misses int     // answers in a row that brought nothing although there was something
}

// ask is how much to ask for, given the room in the backlog and the most that one partition may have of an answer.
func (a *appetite) ask(room, most int) int {
	room = int(float64(room) / max(1, a.ratio))
	if !a.known {
		room = min(room/caution, slowStart)
	}
	return max(1, min(most, max(room, a.floor)))
}

// fed learns from an answer that brought records for an ask of so many bytes. limited says that the log had more,
// and that nothing but the ask kept it back, so that the answer is about as large as the ask.
func (a *appetite) fed(h *harvest, asked int, limited bool) {
	a.misses = 0
	if h.batches == 0 {
		return // control records and aborted data tell nothing
	}
	switch {
	case !h.squeezed: // the size on the wire is known
		a.ratio, a.known = max(1, float64(h.size)/float64(h.onWire)), true
	case asked < slowStart && h.batches == 1: // it may be larger than the ask, and tells nothing
	case limited: // a lasting change shows within some answers, one odd batch is soon forgotten
		a.ratio, a.known = max(1, 0.9*a.ratio, float64(h.size)/float64(asked)), true
	default: // at most the ask has come: a lower bound
		a.ratio = max(1, a.ratio, float64(h.size)/float64(asked))
	}
	if a.floor > 0 && a.known { // keep room for the largest batch, with something to spare for the estimate
		a.floor = min(a.floor, 5*int(float64(h.largest)/a.ratio)/4)
	}
}

// missed learns from an answer that brought nothing although the log has something. crowd is how often over the
// request asked for what one answer may hold.
func (a *appetite) missed(asked, most, crowd int) {
	a.misses++
	if crowd == 0 {
		a.floor = min(most, max(2*asked, 2*a.floor, slowStart))
	}
}

// starved says that asking for more does not help: the partition has to be asked for alone, where one batch comes
// whatever its size. In a crowd most partitions get nothing, and it is no sign of anything.
func (a *appetite) starved(crowd int) bool { return a.misses > 4*(1+crowd) }
