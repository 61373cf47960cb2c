package messages

import "fmt"

// enumName is the name of an enum's value; unknown values stay readable.
func enumName(names []string, i int, kind string) string {
	if i > 0 && i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("%s(%d)", kind, i)
}

func enumParse[T ~uint8](names []string, text []byte, kind string, to *T) error {
	for i, n := range names {
		if i > 0 && n == string(text) {
			*to = T(i)
			return nil
		}
	}
	return fmt.Errorf("ottla: unknown %s %q", kind, text)
}
