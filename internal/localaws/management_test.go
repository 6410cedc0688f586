package localaws_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
)

// listedCall is a call as the management port lists it.
type listedCall struct {
	ID     int
	Action string
	Params map[string]string
	Status int
	Error  string
}

func (b *bench) listed(query string) []listedCall {
	b.t.Helper()
	status, body := b.manage("GET", "/calls"+query, "")
	var out []listedCall
	if status == 200 {
		b.must(json.Unmarshal([]byte(body), &out))
	} else {
		b.t.Errorf("%s: got %d %s", query, status, body)
	}
	return out
}

func TestManagement_listsAndAwaitsCalls(t *testing.T) {
	b := newBench(t, localaws.WithManagement("127.0.0.1:0"))
	lb := b.balancer("app")
	l := b.listener(lb, 80, fixed("200", "x"))
	r := b.rule(l, 1, fixed("200", "y"), path("/y"))
	b.must(b.tagErr(l, pairs("bluegreen:shift/1", "a")))
	b.must(b.untagErr(l, "bluegreen:shift/1"))
	if err := b.tagErr(r, pairs("a", "50%")); err == nil {
		t.Error("no error")
	}
	b.tags(l, r)
	b.secure(lb, login("shop", "hush", nil))
	for query, want := range map[string][]string{
		"?action=AddTags": {"AddTags ", "AddTags ValidationError"},
		"?action=AddTags&arn=" + url.QueryEscape(l):  {"AddTags "},
		"?action=RemoveTags":                         {"RemoveTags "},
		"?action=DescribeTags&arn=listener-rule":     {"DescribeTags "},
		"?arn=" + url.QueryEscape(r):                 {"AddTags ValidationError", "DescribeTags "},
		"?action=AddTags&after=6":                    nil,
		"?action=DeleteListener&wait=1ms":            nil,
		"?action=CreateListener&after=5&wait=1h":     {"CreateListener "},
		"?action=AddTags&arn=bluegreen:shift&after=": {"AddTags "},
	} {
		var got []string
		for _, c := range b.listed(query) {
			got = append(got, c.Action+" "+c.Error)
		}
		if len(got) != len(want) {
			t.Errorf("%s: got %q, want %q", query, got, want)
			continue
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: got %q, want %q", query, got, want)
			}
		}
	}
	add := b.listed("?action=AddTags")[0]
	if add.ID != 4 || add.Status != 200 || len(add.Params) != 3 || add.Params["Tags.member.1.Key"] != "bluegreen:shift/1" || add.Params["ResourceArns.member.1"] != l {
		t.Errorf("got %+v", add)
	}
	if got := b.listed("?action=CreateListener&after=5")[0].Params["DefaultActions.member.1.AuthenticateOidcConfig.ClientSecret"]; got != "(masked)" {
		t.Errorf("the secret is listed: %s", got)
	}
	for _, query := range []string{"?after=x", "?wait=soon", "?kind=AddTags"} {
		if status, body := b.manage("GET", "/calls"+query, ""); status != 400 {
			t.Errorf("%s: got %d %s", query, status, body)
		}
	}
}

func TestManagement_waitsForATagCall(t *testing.T) {
	b := newBench(t, localaws.WithManagement("127.0.0.1:0"))
	g := b.group("g")
	made := make(chan error, 1)
	go func() { made <- errors.Join(b.untagErr(g, "a"), b.tagErr(g, pairs("a", "1"))) }()
	got := b.listed("?action=AddTags&wait=1h")
	b.must(<-made)
	if len(got) != 1 || got[0].Action != "AddTags" {
		t.Errorf("got %+v", got)
	}
}

func TestAwaitCall_ofTagsWhileTheyHang(t *testing.T) {
	b := newBench(t)
	g, other := b.group("g"), b.group("other")
	b.srv.Inject(faults.Fault{Kind: faults.Slow, Action: "AddTags", Delay: time.Hour, ARN: g})
	ctx, cancel := context.WithCancel(b.ctx())
	hung := client(b.srv.URL(), 1)
	go func() { _, _ = hung.AddTags(ctx, addTagsInput(g, "a", "1")) }()
	call, err := b.srv.AwaitCall(b.ctx(), func(c localaws.Call) bool { return c.Action == "AddTags" })
	b.must(err)
	if call.Status != 0 || call.Params.Get("ResourceArns.member.1") != g {
		t.Errorf("got %+v", call)
	}
	b.must(b.tagErr(other, pairs("a", "2")))
	call, err = b.srv.AwaitCall(b.ctx(), func(c localaws.Call) bool { return c.Action == "AddTags" && c.Status == 200 })
	b.must(err)
	if call.Params.Get("Tags.member.1.Value") != "2" || b.srv.Tags(other)["a"] != "2" || len(b.srv.Tags(g)) > 0 {
		t.Errorf("got %+v, tags %v and %v", call, b.srv.Tags(other), b.srv.Tags(g))
	}
	cancel()
	if _, err := b.srv.AwaitCall(ctx, func(localaws.Call) bool { return false }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
