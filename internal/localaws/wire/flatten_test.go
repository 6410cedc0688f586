package wire_test

import (
	"errors"
	"net/url"
	"reflect"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

func TestFlatten_andBack(t *testing.T) {
	document := map[string]any{
		"Namespace": "App",
		"Queries": []any{
			map[string]any{"Id": "m1", "Stat": map[string]any{"Period": "60"}},
			map[string]any{"Id": "m2", "Tags": []any{"a", "b"}},
		},
	}
	form := wire.Flatten(document)
	want := url.Values{
		"Namespace": {"App"}, "Queries.member.1.Id": {"m1"}, "Queries.member.1.Stat.Period": {"60"},
		"Queries.member.2.Id": {"m2"}, "Queries.member.2.Tags.member.1": {"a"}, "Queries.member.2.Tags.member.2": {"b"},
	}
	if !reflect.DeepEqual(form, want) {
		t.Errorf("got %v", form)
	}
	back, err := wire.Unflatten(form)
	if err != nil || !reflect.DeepEqual(back, document) {
		t.Errorf("got %v, %v", back, err)
	}
}

func TestUnflatten_mistakes(t *testing.T) {
	for _, form := range []url.Values{{"A": {"1"}, "A.B": {"2"}}, {"A.B": {"2"}, "A.B.C": {"1"}}} {
		_, err := wire.Unflatten(form)
		if failure, ok := errors.AsType[*wire.Error](err); !ok || failure.Code != "MalformedQueryString" {
			t.Errorf("%v: got %v", form, err)
		}
	}
}

func TestBind_readsEveryProtocol(t *testing.T) {
	type input struct {
		Name  string
		Count *int
		At    *wire.Stamp
		List  []float64
	}
	noon := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	want := input{Name: "a", Count: new(3), At: &wire.Stamp{Time: noon}, List: []float64{1, 2.5}}
	for name, document := range map[string]map[string]any{
		"CBOR":  {"Name": "a", "Count": uint64(3), "At": noon, "List": []any{1.0, 2.5}, "Unknown": true},
		"JSON":  {"Name": "a", "Count": 3.0, "At": float64(noon.Unix()), "List": []any{1.0, 2.5}},
		"Query": {"Name": "a", "Count": "3", "At": "2026-03-04T12:00:00Z", "List": []any{"1", "2.5"}},
	} {
		var got input
		if err := wire.Bind(document, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	var got input
	err := wire.Bind(map[string]any{"List": []any{1.0, "x"}}, &got)
	if want := "SerializationException: The value x at 'List.member.2' is not a number"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
