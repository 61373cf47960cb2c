package deadletters

import (
	"fmt"
	"strconv"
	"strings"
)

// Place is that of one record.
type Place struct {
	Topic     string
	Partition int32
	Offset    int64
}

// String gives topic/partition@offset, for example orders.dlt/3@17.
func (p Place) String() string { return fmt.Sprintf("%s/%d@%d", p.Topic, p.Partition, p.Offset) }

// ParsePlace reads what [Place.String] writes.
func ParsePlace(s string) (Place, error) {
	slash, at := strings.LastIndexByte(s, '/'), strings.LastIndexByte(s, '@')
	if slash <= 0 || at < slash {
		return Place{}, fmt.Errorf("ottla: %q is no place: want topic/partition@offset, for example orders.dlt/3@17", s)
	}
	partition, perr := strconv.ParseUint(s[slash+1:at], 10, 31)
	offset, oerr := strconv.ParseUint(s[at+1:], 10, 63)
	if perr != nil || oerr != nil {
		return Place{}, fmt.Errorf("ottla: %q is no place: partition and offset must be numbers, as in orders.dlt/3@17", s)
	}
	return Place{s[:slash], int32(partition), int64(offset)}, nil
}
