package member

// shrink leaves out of a script whatever its failure does not need: halves, quarters, and so on down to single deeds,
// again and again, until none of those that are left can be missed. kind is what has to go wrong; tries bounds the runs.
func (sc script) shrink(kind string, tries int) (small script, runs int) {
	fails := func(deeds []deed) bool {
		runs++
		without := sc
		without.deeds = deeds
		return without.live(false).ledger.kind == kind
	}
	deeds := sc.deeds
	for size := (len(deeds) + 1) / 2; size > 0 && runs < tries; {
		shorter := false
		for from := 0; from < len(deeds) && runs < tries; {
			rest := append(append([]deed{}, deeds[:from]...), deeds[min(from+size, len(deeds)):]...)
			if fails(rest) {
				deeds, shorter = rest, true
			} else {
				from += size
			}
		}
		if !shorter || size > 1 {
			size /= 2
		}
	}
	sc.deeds = deeds
	return sc, runs
}
