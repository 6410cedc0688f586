package route53_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	mdns "github.com/miekg/dns"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// answer asks the name server for an A record of app.example.com.
func (d *dns) answer() string {
	d.t.Helper()
	q := new(mdns.Msg)
	q.SetQuestion(appName+".", mdns.TypeA)
	client := mdns.Client{Net: "tcp", Timeout: slow.Deadline(10 * time.Second)}
	in, _, err := client.Exchange(q, d.srv.DNSAddr())
	must(d.t, err)
	if len(in.Answer) != 1 {
		d.t.Fatalf("got the answer %v", in.Answer)
	}
	a, ok := in.Answer[0].(*mdns.A)
	if !ok {
		d.t.Fatalf("got the answer %v", in.Answer)
	}
	return a.A.String()
}

// Once InSync is true, the name servers answer by the new weights; until then they may not.
func TestInSync_isWhatNameServersAnswer(t *testing.T) {
	t.Parallel()
	d := newDNS(t, localaws.WithDNS("127.0.0.1:0"), localaws.WithRecordPropagation(0))
	green := record(types.RRTypeA, "green", 0)
	green.ResourceRecords[0].Value = new("192.0.2.2")
	d.change(types.ChangeActionCreate, record(types.RRTypeA, "blue", 100), green)
	route := d.route(appName, "A")
	ctx, cancel := context.WithTimeout(t.Context(), slow.Deadline(30*time.Second))
	defer cancel()
	for i, want := range []string{"192.0.2.2", "192.0.2.1", "192.0.2.2"} {
		before := d.answer()
		release := d.srv.Route53().Hold()
		must(t, d.forward.Write(ctx, route, d.to(d.read("A"), 100*(i%2), 100*(1-i%2))))
		if synced, err := d.forward.InSync(ctx, []string{route}); synced || err != nil || d.answer() != before {
			t.Errorf("while PENDING: in sync %t, %v, and the answer is %s", synced, err, d.answer())
		}
		release()
		for synced := false; !synced; {
			var err error
			synced, err = d.forward.InSync(ctx, []string{route})
			must(t, err)
		}
		if got := d.answer(); got != want {
			t.Errorf("the answer is %s, want %s", got, want)
		}
	}
}
