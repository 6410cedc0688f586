package platform

import (
	"reflect"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/catalog"
)

// Every field of an Entry is required: nothing that calls one checks for nil. There is one for each router.
func TestAll_isComplete(t *testing.T) {
	all, kinds := All(), catalog.All()
	if len(all) != len(kinds) {
		t.Fatalf("%d platforms for %d routers", len(all), len(kinds))
	}
	for i, p := range all {
		v := reflect.ValueOf(p)
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("%s: %s is not set", p.Block, v.Type().Field(i).Name)
			}
		}
		if p.Block != kinds[i].Block {
			t.Errorf("platform %d is that of the block %s, want %s", i, p.Block, kinds[i].Block)
		}
	}
}
