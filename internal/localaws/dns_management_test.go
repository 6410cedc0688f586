package localaws_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
)

func TestManagement_records(t *testing.T) {
	b := newDNSBench(t, localaws.WithManagement("127.0.0.1:0"), localaws.WithDNS("127.0.0.1:0"), localaws.WithExactDNS(), localaws.WithRecordPropagation(0))
	check, err := b.names.CreateHealthCheck(b.ctx(), &route53.CreateHealthCheckInput{
		CallerReference: aws.String("a"), HealthCheckConfig: &types.HealthCheckConfig{Type: types.HealthCheckTypeTcp, IPAddress: aws.String("192.0.2.1"), Port: aws.Int32(80)},
	})
	b.must(err)
	id := *check.HealthCheck.Id
	blue := weighted("www.example.com", "blue", 1, "192.0.2.1")
	blue.HealthCheckId = &id
	b.change(create(blue), create(weighted("www.example.com", "green", 0, "192.0.2.2")))
	b.change(create(alias(simple("alias.example.com", types.RRTypeA), b.zone, "www.example.com")))
	b.resolve("www.example.com")
	if status, _ := b.manage("POST", "/health-checks/"+id, `{"healthy": false}`); status != 204 {
		t.Errorf("got %d", status)
	}
	b.resolve("www.example.com")
	release := b.srv.Route53().Hold()
	b.change(upsert(blue))
	hidden := []golden.Replacement{golden.Replace(b.zone, "ZONE"), golden.Replace(id, "CHECK")}
	for _, request := range []string{
		"GET /records", "GET /answers/www.example.com/A", "GET /answers/none.example.com/A",
		"POST /health-checks/" + id + " {}", "POST /health-checks/" + id + " x", `POST /health-checks/none {"healthy": true}`,
	} {
		parts := strings.SplitN(request+"  ", " ", 3)
		_, body := b.manage(parts[0], parts[1], strings.TrimSpace(parts[2]))
		golden.Record(t, strings.TrimSpace(request)+"\n"+body, hidden...)
	}
	release()
}
