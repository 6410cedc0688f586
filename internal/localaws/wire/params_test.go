package wire_test

import (
	"fmt"
	"net/url"
	"reflect"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

func TestParams_listsAreInTheOrderOfTheirIndexes(t *testing.T) {
	p := wire.NewParams(url.Values{
		"Arns.member.10": {"c"}, "Arns.member.2": {"b"}, "Arns.member.1": {"a"}, "Arns.member.01": {"x"}, "Arns.member.-1": {"x"},
		"Tags.member.1.Key": {"k"}, "Tags.member.1.Value": {"v"}, "Extra.entry.1.key": {"p"}, "Extra.entry.1.value": {"q"},
	})
	if got := p.List("Arns"); !reflect.DeepEqual(got, []string{"a", "b", "c"}) {
		t.Errorf("got %q", got)
	}
	if tags := p.Structs("Tags"); len(tags) != 1 || tags[0].Text("Key") != "k" || tags[0].Text("Value") != "v" {
		t.Errorf("got %v", tags)
	}
	if got := p.Pairs("Extra"); !reflect.DeepEqual(got, []wire.Pair{{Key: "p", Value: "q"}}) {
		t.Errorf("got %v", got)
	}
	if p.Has("Arn") || !p.Has("Tags") {
		t.Error("a parameter is present under its whole name only")
	}
}

func TestParams_errorsNameTheParameter(t *testing.T) {
	p, _ := wire.NewParams(url.Values{"Check.Port": {"70000"}, "Check.On": {"maybe"}, "Check.Type": {"udp"}}).Structure("Check")
	_, port := p.Number("Port", 1, 65535)
	_, on := p.Flag("On")
	_, kind := p.OneOf("Type", "tcp", "http")
	got := []string{fmt.Sprint(port), fmt.Sprint(on), fmt.Sprint(kind), fmt.Sprint(p.Require("Port", "Path"))}
	want := []string{
		"ValidationError: 'Check.Port' must be between '1' and '65535', inclusive: '70000' is not.",
		"MalformedInput: 'maybe' is neither true nor false, at 'Check.On'",
		"ValidationError: 1 validation error detected: Value 'udp' at 'Check.type' failed to satisfy constraint: Member must satisfy enum value set: [tcp, http]",
		"ValidationError: 1 validation error detected: Value null at 'Check.path' failed to satisfy constraint: Member must not be null",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
}
