package localaws_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
)

// pairs returns tags from keys and values in turn.
func pairs(keysAndValues ...string) []types.Tag {
	var out []types.Tag
	for pair := range slices.Chunk(keysAndValues, 2) {
		out = append(out, types.Tag{Key: &pair[0], Value: &pair[1]})
	}
	return out
}

// numbered returns n tags whose keys begin with a prefix.
func numbered(prefix string, n int) []types.Tag {
	var out []types.Tag
	for i := range n {
		out = append(out, pairs(fmt.Sprint(prefix, i), "x")...)
	}
	return out
}

func addTagsInput(arn string, keysAndValues ...string) *elb.AddTagsInput {
	return &elb.AddTagsInput{ResourceArns: []string{arn}, Tags: pairs(keysAndValues...)}
}

func (b *bench) tagErr(arn string, tags []types.Tag) error {
	_, err := b.api.AddTags(b.ctx(), &elb.AddTagsInput{ResourceArns: []string{arn}, Tags: tags})
	return err
}

func (b *bench) untagErr(arn string, keys ...string) error {
	_, err := b.api.RemoveTags(b.ctx(), &elb.RemoveTagsInput{ResourceArns: []string{arn}, TagKeys: keys})
	return err
}

// tags returns the tags of resources as DescribeTags shows them: "a=1 b=2", resources separated by "; ".
func (b *bench) tags(arns ...string) string {
	b.t.Helper()
	out, err := b.api.DescribeTags(b.ctx(), &elb.DescribeTagsInput{ResourceArns: arns})
	b.must(err)
	var all []string
	for i, d := range out.TagDescriptions {
		if *d.ResourceArn != arns[i] {
			b.t.Errorf("description %d is of %s, want %s", i, *d.ResourceArn, arns[i])
		}
		shown := map[string]string{}
		for _, tag := range d.Tags {
			shown[*tag.Key] = *tag.Value
		}
		var texts []string
		for _, key := range slices.Sorted(maps.Keys(shown)) {
			texts = append(texts, key+"="+shown[key])
		}
		all = append(all, strings.Join(texts, " "))
	}
	return strings.Join(all, "; ")
}

// taggable is one resource of each kind that can be tagged.
func (b *bench) taggable() map[string]string {
	b.t.Helper()
	lb := b.balancer("app")
	l := b.listener(lb, 80, fixed("200", "x"))
	return map[string]string{"balancer": lb, "group": b.group("g"), "listener": l, "rule": b.rule(l, 1, fixed("200", "y"), path("/y"))}
}

func TestTags_everyKindOfResource(t *testing.T) {
	b := newBench(t)
	for kind, arn := range b.taggable() {
		b.must(b.tagErr(arn, pairs("a", "1", "b", "2", "Größe 語", " _.:/=+-@")))
		b.must(b.tagErr(arn, pairs("a", "3", "empty", "")))
		b.must(b.tagErr(arn, []types.Tag{{Key: aws.String("none")}}))
		b.must(b.untagErr(arn, "b", "missing"))
		if got := b.tags(arn); got != "Größe 語= _.:/=+-@ a=3 empty= none=" {
			t.Errorf("%s: got %s", kind, got)
		}
	}
}

func TestTags_limits(t *testing.T) {
	b := newBench(t)
	for kind, arn := range b.taggable() {
		longest := pairs(strings.Repeat("ü", 128), strings.Repeat("語", 256), "n", "\u00a0١½")
		b.must(b.tagErr(arn, longest))
		b.must(b.tagErr(arn, numbered("k", 48)))
		before := b.tags(arn)
		const tooMany = "TooManyTags: You've reached the limit on the number of tags for this resource: '50'"
		b.check([]refusal{
			{"one more", func() error { return b.tagErr(arn, pairs("more", "x")) }, tooMany},
			{"a change and one more", func() error { return b.tagErr(arn, pairs("k1", "y", "more", "x")) }, tooMany},
			{"51 at once", func() error { return b.tagErr(arn, numbered("other", 51)) }, tooMany},
		})
		if got := b.tags(arn); got != before {
			t.Errorf("%s: a refused call changed tags: %s", kind, got)
		}
		b.must(b.tagErr(arn, pairs("k1", "y"))) // a change needs no room
		b.must(b.untagErr(arn, "k2"))
		b.must(b.tagErr(arn, pairs("more", "x")))
	}
}

func TestRefusals_tags(t *testing.T) {
	b := newBench(t)
	const pattern = `^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$`
	failed := func(value, at, constraint string) string {
		return fmt.Sprintf("ValidationError: 1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must %s", value, at, constraint)
	}
	notAllowed := func(value, at string) string {
		return failed(value, at, "satisfy regular expression pattern: "+pattern)
	}
	long, longer := strings.Repeat("k", 129), strings.Repeat("ü", 257)
	for kind, arn := range b.taggable() {
		try := func(tags ...string) func() error { return func() error { return b.tagErr(arn, pairs(tags...)) } }
		b.check([]refusal{
			{"empty key", try("", "x"), failed("", "tags.1.member.key", "have length greater than or equal to 1")},
			{"long key", try("a", "b", long, "x"), failed(long, "tags.2.member.key", "have length less than or equal to 128")},
			{"long value", try("a", longer), failed(longer, "tags.1.member.value", "have length less than or equal to 256")},
			{"percent", try("a", "50%"), notAllowed("50%", "tags.1.member.value")},
			{"comma", try("a,b", "x"), notAllowed("a,b", "tags.1.member.key")},
			{"JSON", try("a", `{"x":1}`), notAllowed(`{"x":1}`, "tags.1.member.value")},
			{"line break", try("a", "x\n"), notAllowed("x\n", "tags.1.member.value")},
			{"tab", try("a\t", "x"), notAllowed("a\t", "tags.1.member.key")},
			{"emoji", try("a", "\U0001F680"), notAllowed("\U0001F680", "tags.1.member.value")},
			{"combining mark", try("a", "u\u0308"), notAllowed("u\u0308", "tags.1.member.value")},
			{"reserved", try("aws:stack", "x"), "ValidationError: Tag key 'aws:stack' cannot start with 'aws:'"},
			{"reserved, other case", try("a", "x", "AwS:stack", "x"), "ValidationError: Tag key 'AwS:stack' cannot start with 'aws:'"},
			{"twice", try("a", "x", "b", "x", "a", "x"), "DuplicateTagKeys: Tag key 'a' was specified more than once"},
			{"no tags", func() error { return b.tagErr(arn, []types.Tag{}) }, failed("[]", "tags", "have length greater than or equal to 1")},
			{"no keys", func() error { return b.untagErr(arn, []string{}...) }, "ValidationError: 1 validation error detected: Value null at 'tagKeys' failed to satisfy constraint: Member must not be null"},
			{"key to remove", func() error { return b.untagErr(arn, "a", "50%") }, notAllowed("50%", "tagKeys.2.member")},
			{"reserved key to remove", func() error { return b.untagErr(arn, "aws:stack") }, "ValidationError: Tag key 'aws:stack' cannot start with 'aws:'"},
		})
		if got := b.tags(arn); got != "" {
			t.Errorf("%s: a refused call changed tags: %s", kind, got)
		}
		b.must(b.tagErr(arn, pairs("awsome", "aws:x", "A", "1", "a", "2"))) // keys differ by case
	}
}

func TestRefusals_resourcesOfTags(t *testing.T) {
	b := newBench(t)
	all := b.taggable()
	elsewhere := elb.New(b.api.Options(), func(o *elb.Options) { o.Region = "eu-west-1" })
	codes := map[string]string{"balancer": "LoadBalancerNotFound", "group": "TargetGroupNotFound", "listener": "ListenerNotFound", "rule": "RuleNotFound"}
	for kind, arn := range all {
		gone := arn[:len(arn)-4] + "zzzz"
		want := codes[kind] + ": The following resource was not found: '" + gone + "'"
		b.check([]refusal{
			{"add", func() error { return b.tagErr(gone, pairs("a", "1")) }, want},
			{"remove", func() error { return b.untagErr(gone, "a") }, want},
			{"describe", func() error { return b.describeTagsErr(arn, gone) }, want},
			{"another region", func() error {
				_, err := elsewhere.DescribeTags(b.ctx(), &elb.DescribeTagsInput{ResourceArns: []string{arn}})
				return err
			}, codes[kind] + ": The following resource was not found: '" + arn + "'"},
		})
	}
	g, l := all["group"], all["listener"]
	b.check([]refusal{
		{"two at once", func() error {
			_, err := b.api.AddTags(b.ctx(), &elb.AddTagsInput{ResourceArns: []string{g, l}, Tags: pairs("a", "1")})
			return err
		}, "ValidationError: Only one resource can be tagged at a time"},
		{"remove from two at once", func() error {
			_, err := b.api.RemoveTags(b.ctx(), &elb.RemoveTagsInput{ResourceArns: []string{g, l}, TagKeys: []string{"a"}})
			return err
		}, "ValidationError: Only one resource can be tagged at a time"},
		{"21 at once", func() error { return b.describeTagsErr(slices.Repeat([]string{g}, 21)...) }, "ValidationError: You cannot describe tags for more than '20' resources at a time"},
		{"none", func() error { return b.describeTagsErr([]string{}...) }, "ValidationError: 1 validation error detected: Value null at 'resourceArns' failed to satisfy constraint: Member must not be null"},
		{"not an ARN", func() error { return b.describeTagsErr("web") }, "ValidationError: 'web' is not a valid load balancer, target group, listener or rule ARN"},
	})
	if got := b.tags(slices.Repeat([]string{g, l}, 10)...); strings.Trim(got, "; ") != "" {
		t.Errorf("a refused call changed tags: %s", got)
	}
}

func (b *bench) describeTagsErr(arns ...string) error {
	if arns == nil {
		arns = []string{}
	}
	_, err := b.api.DescribeTags(b.ctx(), &elb.DescribeTagsInput{ResourceArns: arns})
	return err
}

func TestTags_ofCreateCalls(t *testing.T) {
	b := newBench(t)
	all := b.taggable()
	created := 0
	creates := func(tags []types.Tag) map[string]func() (string, error) {
		created++
		name := aws.String(fmt.Sprint("new", created))
		return map[string]func() (string, error){
			"balancer": func() (string, error) {
				out, err := b.api.CreateLoadBalancer(b.ctx(), &elb.CreateLoadBalancerInput{Name: name, Subnets: []string{"subnet-1", "subnet-2"}, Tags: tags})
				if err != nil {
					return "", err
				}
				return *out.LoadBalancers[0].LoadBalancerArn, nil
			},
			"group": func() (string, error) {
				out, err := b.api.CreateTargetGroup(b.ctx(), &elb.CreateTargetGroupInput{Name: name, Protocol: "HTTP", Port: aws.Int32(80), VpcId: aws.String("vpc-1"), Tags: tags})
				if err != nil {
					return "", err
				}
				return *out.TargetGroups[0].TargetGroupArn, nil
			},
			"listener": func() (string, error) {
				out, err := b.api.CreateListener(b.ctx(), &elb.CreateListenerInput{
					LoadBalancerArn: aws.String(all["balancer"]), Protocol: "HTTP", Port: aws.Int32(int32(80 + created)), DefaultActions: fixed("200", "x"), Tags: tags,
				})
				if err != nil {
					return "", err
				}
				return *out.Listeners[0].ListenerArn, nil
			},
			"rule": func() (string, error) {
				out, err := b.api.CreateRule(b.ctx(), &elb.CreateRuleInput{
					ListenerArn: aws.String(all["listener"]), Priority: aws.Int32(int32(1 + created)), Conditions: []types.RuleCondition{path("/x")}, Actions: fixed("200", "x"), Tags: tags,
				})
				if err != nil {
					return "", err
				}
				return *out.Rules[0].RuleArn, nil
			},
		}
	}
	for want, tags := range map[string][]types.Tag{
		"":                 pairs("bluegreen:shift/1 from", "blue=100"),
		"TooManyTags":      numbered("k", 51),
		"DuplicateTagKeys": pairs("a", "1", "a", "2"),
		"ValidationError":  pairs("a", "50%"),
	} {
		for kind, create := range creates(tags) {
			arn, err := create()
			if code(err) != want {
				t.Errorf("%s: got %v, want %q", kind, err, want)
			}
			if err != nil {
				continue
			}
			if got := b.tags(arn); got != "bluegreen:shift/1 from=blue=100" {
				t.Errorf("%s: got %s", kind, got)
			}
		}
	}
}

func TestTags_goWithTheirResource(t *testing.T) {
	b := newBench(t, localaws.WithManagement("127.0.0.1:0"))
	all := b.taggable()
	for _, arn := range all {
		b.must(b.tagErr(arn, pairs("a", "1")))
	}
	_, err := b.api.DeleteLoadBalancer(b.ctx(), &elb.DeleteLoadBalancerInput{LoadBalancerArn: aws.String(all["balancer"])})
	b.must(err)
	var shown map[string]map[string]string
	_, body := b.manage("GET", "/tags", "")
	b.must(json.Unmarshal([]byte(body), &shown))
	if want := map[string]map[string]string{all["group"]: {"a": "1"}}; !reflect.DeepEqual(shown, want) {
		t.Errorf("the management port shows %v, want %v", shown, want)
	}
	for _, kind := range []string{"listener", "rule", "balancer"} {
		if got := b.srv.Tags(all[kind]); got != nil {
			t.Errorf("%s: the tags are %v", kind, got)
		}
		if err := b.describeTagsErr(all[kind]); !strings.HasSuffix(code(err), "NotFound") {
			t.Errorf("%s: got %v", kind, err)
		}
	}
}
