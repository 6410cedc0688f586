package localalb

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"
)

// stamp is a CloudWatch timestamp: seconds since the Unix epoch with millisecond precision.
type stamp struct{ time.Time }

func stampOf(seconds int64) stamp { return stamp{time.Unix(seconds, 0).UTC()} }

func (s stamp) seconds() float64 { return float64(s.UnixMilli()) / 1e3 }

// MarshalCBOR encodes the time as tag 1 with a float.
func (s stamp) MarshalCBOR() ([]byte, error) {
	return binary.BigEndian.AppendUint64([]byte{0xc1, 0xfb}, math.Float64bits(s.seconds())), nil
}

// MarshalJSON encodes the time as a number of seconds.
func (s stamp) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, s.seconds(), 'f', -1, 64), nil
}
