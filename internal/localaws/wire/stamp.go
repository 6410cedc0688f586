package wire

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"
)

// Stamp is a CloudWatch timestamp: seconds since the Unix epoch with millisecond precision.
type Stamp struct{ time.Time }

// StampOf returns the timestamp of a Unix time in seconds.
func StampOf(seconds int64) Stamp { return Stamp{Time: time.Unix(seconds, 0).UTC()} }

func (s Stamp) seconds() float64 { return float64(s.UnixMilli()) / 1e3 }

// MarshalCBOR encodes the time as tag 1 with a float.
func (s Stamp) MarshalCBOR() ([]byte, error) {
	return binary.BigEndian.AppendUint64([]byte{0xc1, 0xfb}, math.Float64bits(s.seconds())), nil
}

// MarshalJSON encodes the time as a number of seconds.
func (s Stamp) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, s.seconds(), 'f', -1, 64), nil
}
