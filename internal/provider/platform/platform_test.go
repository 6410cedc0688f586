package platform

import (
	"reflect"
	"testing"
)

// Every field of an Entry is required: nothing that calls one checks for nil. Only compose and its
// inverse are for platforms that complete the groups of an environment.
func TestAll_isComplete(t *testing.T) {
	blocks := map[string]bool{}
	for _, p := range All() {
		v := reflect.ValueOf(p)
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if v.Field(i).IsZero() && (p.Composes() || name != "compose" && name != "value") {
				t.Errorf("%s: %s is not set", p.Block, name)
			}
		}
		if p.GroupName == nil {
			t.Errorf("%s: GroupName is not set", p.Block)
		}
		if blocks[p.Block] {
			t.Errorf("two platforms have the block %s", p.Block)
		}
		blocks[p.Block] = true
	}
}
