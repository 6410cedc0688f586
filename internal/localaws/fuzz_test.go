package localaws_test

import (
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
)

// FuzzQuery sends any form to the API. The response must be a complete XML document.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"", "Action=", "%zz", "Action=DescribeLoadBalancers&Version=2015-12-01",
		"Action=DescribeLoadBalancers&Version=2015-12-01&PageSize=1&Marker=MQ==",
		"Action=CreateLoadBalancer&Version=2015-12-01&Name=a&Subnets.member.1=s1&Subnets.member.3=s2&Tags.member.1.Key=k&Tags.member.1.Value=v",
		"Action=CreateTargetGroup&Version=2015-12-01&Name=a&Protocol=HTTP&Port=80&VpcId=v&TargetType=ip&Matcher.HttpCode=200-299",
		"Action=ModifyListener&Version=2015-12-01&ListenerArn=arn:aws:elasticloadbalancing:us-east-1:1:listener/app/a/b/c&DefaultActions.member.1.Type=forward&DefaultActions.member.1.ForwardConfig.TargetGroups.member.1.Weight=1",
		"Action=SetRulePriorities&Version=2015-12-01&RulePriorities.member.1.RuleArn=x&RulePriorities.member.1.Priority=1",
		"Action=DescribeTags&Version=2015-12-01&ResourceArns.member.99999999999999999999=x&ResourceArns.member.-1=y&ResourceArns.member.01=z",
		"Action=RegisterTargets&Version=2015-12-01&TargetGroupArn=x&Targets.member.1.Id=%00&Targets.member.1.Port=1e9",
	} {
		f.Add(seed)
	}
	srv, err := localaws.Start(localaws.WithEphemeralPorts(), localaws.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := srv.Close(); err != nil {
			f.Error(err)
		}
	})
	f.Fuzz(func(t *testing.T, form string) {
		req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(form))
		req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/elasticloadbalancing/aws4_request, Signature=x")
		rec := httptest.NewRecorder()
		srv.ServeHTTP(rec, req)
		if rec.Code >= 500 {
			t.Fatalf("%q: %d %s", form, rec.Code, rec.Body)
		}
		decoder := xml.NewDecoder(rec.Body)
		for {
			if _, err := decoder.Token(); errors.Is(err, io.EOF) {
				return
			} else if err != nil {
				t.Fatalf("%q: the answer is not XML: %v", form, err)
			}
		}
	})
}
