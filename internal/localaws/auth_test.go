package localaws_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// login returns actions that begin with a login. An empty secret is not sent.
func login(client, secret string, existing *bool) []types.Action {
	a := oidc(types.AuthenticateOidcActionConditionalBehaviorEnumDeny)
	a.AuthenticateOidcConfig.ClientId, a.AuthenticateOidcConfig.ClientSecret = &client, &secret
	if secret == "" {
		a.AuthenticateOidcConfig.ClientSecret = nil
	}
	a.AuthenticateOidcConfig.UseExistingClientSecret = existing
	return gated(a, fixed("200", "in"))
}

func TestRefusals_clientSecrets(t *testing.T) {
	b := newBench(t)
	lb := b.balancer("app")
	l := b.secure(lb, login("shop", "hush", nil))
	r := b.rule(l, 1, login("shop", "hush", nil), path("/a"))
	calls := map[string]func([]types.Action) error{
		"CreateListener": func(actions []types.Action) error {
			_, err := b.api.CreateListener(b.ctx(), &elb.CreateListenerInput{
				LoadBalancerArn: &lb, Protocol: types.ProtocolEnumHttps, Port: aws.Int32(8443), DefaultActions: actions,
				Certificates: []types.Certificate{{CertificateArn: aws.String("arn:aws:acm:us-east-1:123456789012:certificate/1")}},
			})
			return err
		},
		"ModifyListener": func(actions []types.Action) error { return b.modifyErr(l, actions) },
		"CreateRule": func(actions []types.Action) error {
			_, err := b.api.CreateRule(b.ctx(), &elb.CreateRuleInput{ListenerArn: &l, Priority: aws.Int32(9), Conditions: []types.RuleCondition{path("/b")}, Actions: actions})
			return err
		},
		"ModifyRule": func(actions []types.Action) error {
			_, err := b.api.ModifyRule(b.ctx(), &elb.ModifyRuleInput{RuleArn: &r, Actions: actions})
			return err
		},
	}
	const (
		both   = "InvalidLoadBalancerAction: You cannot both specify a client secret and set UseExistingClientSecret to true"
		absent = "InvalidLoadBalancerAction: You must specify a client secret unless UseExistingClientSecret is true"
		none   = "InvalidLoadBalancerAction: UseExistingClientSecret is true, but there is no existing client secret for issuer 'https://idp.example.com' and client "
	)
	for name, call := range calls {
		try := func(client, secret string, existing *bool) func() error {
			return func() error { return call(login(client, secret, existing)) }
		}
		b.check([]refusal{
			{name + ", both", try("shop", "hush", aws.Bool(true)), both},
			{name + ", both for another client", try("other", "hush", aws.Bool(true)), both},
			{name + ", no secret", try("shop", "", nil), absent},
			{name + ", no secret and false", try("shop", "", aws.Bool(false)), absent},
			{name + ", no such client", try("other", "", aws.Bool(true)), none + "'other'"},
		})
	}
	for _, name := range []string{"CreateListener", "CreateRule"} { // a new action has no existing secret
		b.check([]refusal{{name, func() error { return calls[name](login("shop", "", aws.Bool(true))) }, none + "'shop'"}})
	}
	for _, name := range []string{"ModifyListener", "ModifyRule"} {
		b.must(calls[name](login("shop", "", aws.Bool(true))))
		b.must(calls[name](login("shop", "new", aws.Bool(false))))
		b.must(calls[name](login("shop", "", aws.Bool(true))))
	}
}
