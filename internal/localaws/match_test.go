package localaws_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

func (b *bench) rule(listener string, priority int32, actions []types.Action, conditions ...types.RuleCondition) string {
	b.t.Helper()
	out, err := b.api.CreateRule(b.ctx(), &elb.CreateRuleInput{ListenerArn: &listener, Priority: &priority, Conditions: conditions, Actions: actions})
	b.must(err)
	return *out.Rules[0].RuleArn
}

func path(values ...string) types.RuleCondition {
	return types.RuleCondition{Field: aws.String("path-pattern"), Values: values}
}

func host(values ...string) types.RuleCondition {
	return types.RuleCondition{Field: aws.String("host-header"), HostHeaderConfig: &types.HostHeaderConditionConfig{Values: values}}
}

func TestRules_firstMatchByPriorityWins(t *testing.T) {
	b := newBench(t)
	l := b.listener(b.balancer("app"), 80, fixed("200", "default"))
	method := types.RuleCondition{Field: aws.String("http-request-method"), HttpRequestMethodConfig: &types.HttpRequestMethodConditionConfig{Values: []string{"PUT"}}}
	header := types.RuleCondition{Field: aws.String("http-header"), HttpHeaderConfig: &types.HttpHeaderConditionConfig{HttpHeaderName: aws.String("X-Version"), Values: []string{"gr*n"}}}
	query := types.RuleCondition{Field: aws.String("query-string"), QueryStringConfig: &types.QueryStringConditionConfig{Values: []types.QueryStringKeyValuePair{{Key: aws.String("v"), Value: aws.String("2?")}}}}
	source := types.RuleCondition{Field: aws.String("source-ip"), SourceIpConfig: &types.SourceIpConditionConfig{Values: []string{"127.0.0.0/8"}}}
	other := types.RuleCondition{Field: aws.String("source-ip"), SourceIpConfig: &types.SourceIpConditionConfig{Values: []string{"192.0.2.0/24"}}}
	regex := types.RuleCondition{Field: aws.String("path-pattern"), RegexValues: []string{"^/r[0-9]+$"}}
	b.rule(l, 30, fixed("200", "api"), path("/api/*"))
	b.rule(l, 10, fixed("200", "api-v1"), path("/api/v1/*"))
	b.rule(l, 40, fixed("200", "host"), host("*.Example.com"), source)
	b.rule(l, 50, fixed("200", "header"), header)
	b.rule(l, 60, fixed("200", "query"), query)
	b.rule(l, 70, fixed("200", "method"), method)
	b.rule(l, 80, fixed("200", "regex"), regex)
	b.rule(l, 90, fixed("200", "never"), other)
	set := func(f func(*http.Request)) func(*http.Request) { return f }
	for _, tc := range []struct {
		path, want string
		change     func(*http.Request)
	}{
		{"/", "default", nil},
		{"/api/v1/x", "api-v1", nil},
		{"/api/v2", "api", nil},
		{"/API/v2", "default", nil},
		{"/", "host", set(func(r *http.Request) { r.Host = "shop.example.COM:8443" })},
		{"/", "default", set(func(r *http.Request) { r.Host = "example.com" })},
		{"/", "header", set(func(r *http.Request) { r.Header.Set("X-Version", "GREEN") })},
		{"/?v=21", "query", nil},
		{"/?v=2", "default", nil},
		{"/", "method", set(func(r *http.Request) { r.Method = http.MethodPut })},
		{"/r12", "regex", nil},
	} {
		change := tc.change
		if change == nil {
			change = func(*http.Request) {}
		}
		if status, body := b.get(l, tc.path, change); status != 200 || body != tc.want {
			t.Errorf("%s: got %d %q, want %q", tc.path, status, body, tc.want)
		}
	}
}

func TestRules_redirectFillsPlaceholders(t *testing.T) {
	b := newBench(t)
	l := b.listener(b.balancer("app"), 80, []types.Action{{Type: types.ActionTypeEnumRedirect, RedirectConfig: &types.RedirectActionConfig{
		StatusCode: types.RedirectActionStatusCodeEnumHttp301, Protocol: aws.String("HTTPS"), Port: aws.String("443"), Path: aws.String("/new/#{path}"), Query: aws.String("#{query}&from=old"),
	}}})
	resp := b.send(l, http.MethodGet, "/a/b?x=1", func(r *http.Request) { r.Host = "shop.example.com" })
	_ = resp.Body.Close()
	if got, want := resp.Header.Get("Location"), "https://shop.example.com:443/new/a/b?x=1&from=old"; resp.StatusCode != 301 || got != want {
		t.Errorf("got %d %q, want %q", resp.StatusCode, got, want)
	}
}

func TestRules_fixedResponse(t *testing.T) {
	b := newBench(t)
	l := b.listener(b.balancer("app"), 80, fixed("503", "closed"))
	resp := b.send(l, http.MethodGet, "/")
	_ = resp.Body.Close()
	if resp.StatusCode != 503 || resp.Header.Get("Content-Type") != "text/plain; charset=utf-8" || resp.Header.Get("Server") != "awselb/2.0" {
		t.Errorf("got %d %v", resp.StatusCode, resp.Header)
	}
	if got := b.srv.ListenerCounts(l); got.Requests != 1 || got.Fixed != 1 {
		t.Errorf("got %+v", got)
	}
}

// secure creates an HTTPS listener whose certificate the bench's client trusts.
func (b *bench) secure(balancer string, actions []types.Action) string {
	b.t.Helper()
	out, err := b.api.CreateListener(b.ctx(), &elb.CreateListenerInput{
		LoadBalancerArn: &balancer, Protocol: types.ProtocolEnumHttps, Port: aws.Int32(443), DefaultActions: actions,
		Certificates: []types.Certificate{{CertificateArn: aws.String("arn:aws:acm:us-east-1:123456789012:certificate/1")}},
	})
	b.must(err)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(b.srv.CertificatePEM()) {
		b.t.Fatal("no certificate")
	}
	b.web.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	return *out.Listeners[0].ListenerArn
}

func oidc(onUnauthenticated types.AuthenticateOidcActionConditionalBehaviorEnum) types.Action {
	return types.Action{Type: types.ActionTypeEnumAuthenticateOidc, Order: aws.Int32(1), AuthenticateOidcConfig: &types.AuthenticateOidcActionConfig{
		Issuer: aws.String("https://idp.example.com"), AuthorizationEndpoint: aws.String("https://idp.example.com/authorize"),
		TokenEndpoint: aws.String("https://idp.example.com/token"), UserInfoEndpoint: aws.String("https://idp.example.com/userinfo"),
		ClientId: aws.String("shop"), ClientSecret: aws.String("hush"), OnUnauthenticatedRequest: onUnauthenticated,
	}}
}

func gated(gate types.Action, last []types.Action) []types.Action {
	last[0].Order = aws.Int32(2)
	return append([]types.Action{gate}, last...)
}

func TestRules_authenticateBeforeForward(t *testing.T) {
	b := newBench(t)
	l := b.secure(b.balancer("app"), gated(oidc(types.AuthenticateOidcActionConditionalBehaviorEnumDeny), fixed("200", "in")))
	overTLS := func(r *http.Request) { r.URL.Scheme = "https" }
	if status, _ := b.get(l, "/", overTLS); status != 401 {
		t.Errorf("deny: got %d", status)
	}
	session := func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "AWSELBAuthSessionCookie-0", Value: "x"}) }
	if status, body := b.get(l, "/", overTLS, session); status != 200 || body != "in" {
		t.Errorf("with a session: got %d %q", status, body)
	}
	b.modify(l, gated(oidc(types.AuthenticateOidcActionConditionalBehaviorEnumAllow), fixed("200", "in")))
	if status, body := b.get(l, "/", overTLS); status != 200 || body != "in" {
		t.Errorf("allow: got %d %q", status, body)
	}
	b.modify(l, gated(oidc(types.AuthenticateOidcActionConditionalBehaviorEnumAuthenticate), fixed("200", "in")))
	resp := b.send(l, http.MethodGet, "/", overTLS)
	_ = resp.Body.Close()
	to, err := resp.Location()
	b.must(err)
	if resp.StatusCode != 302 || to.Host != "idp.example.com" || to.Query().Get("client_id") != "shop" {
		t.Errorf("authenticate: got %d %s", resp.StatusCode, to)
	}
}
