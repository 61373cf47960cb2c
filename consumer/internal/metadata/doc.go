// Package metadata is the format of the string that Kafka keeps beside a committed offset: what the next owner of
// a partition must know of the record there.
//
// The string is
//
//	"ottla1:" + base64url, without padding, of a sequence of fields
//	field = type (1 byte), length (unsigned varint), value
//
// with these types, in this order, each at most once:
//
//	1  attempts made at the record        unsigned varint
//	2  the partition is parked            empty
//	3  the park's reason                  UTF-8
//	4  ranges finished beyond the offset  bytes of actors.EncodeSpans, relative to the offset
//	5  partitions the topic had when the  unsigned varint
//	   group first began at its end
//
// Type 4 is written where records finish out of order; by partition never. The first byte of its value is the number of
// its form. To this package the value is opaque: a form that a version does not know, written by a later one, is no damage
// of the note. Who reads it takes nothing for finished then, and says so; the other fields count.
//
// Nothing to say is the empty string, which is what other clients leave as well. A reader skips types that it does
// not know, so that a later version can add fields; what is no "ottla1:" string at all, or a damaged one, carries
// nothing. Both is an error only so that somebody can say it in a log: an offset without its metadata is still an
// offset.
//
// Brokers bound the string (offset.metadata.max.bytes, 4,096 by default) and refuse the offset with it. [Limit] raw
// bytes are 4,007 characters. What does not fit is cut: the reason first, then the attempts. The finished ranges
// never, because without them finished records would be handled again: their producer has to stop before they have more
// than [FinishedMost] bytes. [Fit] is for where they do not fit all the same: the offset counts more than they.
package metadata
