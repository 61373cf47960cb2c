package metadata

// Fit is Encode for brokers that have refused a string of so many characters; 0: none. What they take is shorter, and nobody
// knows by how much, so each thing goes as a whole: the reason first, then the finished ranges, and then everything, until the
// string is shorter. Attempts and the park take a few characters, and stay with either. An offset without its metadata is still an offset.
// without says that there were finished ranges, and the string does not have them: those records are handled again by the next
// owner.
func Fit(n Note, refused int) (s string, without bool) {
	fits := func() bool {
		var err error
		s, err = Encode(n)
		return err == nil && (refused == 0 || len(s) < refused)
	}
	ranges := len(n.Finished) > 0
	if fits() {
		return s, false
	}
	reason := n.Reason
	if n.Reason = ""; fits() {
		return s, false
	}
	if n.Finished, n.Reason = nil, reason; fits() {
		return s, ranges
	}
	if n.Reason = ""; fits() {
		return s, ranges
	}
	return "", ranges
}
