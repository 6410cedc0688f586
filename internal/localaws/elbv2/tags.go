package elbv2

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

const (
	maxTags     = 50
	maxTagKey   = 128 // characters
	maxTagValue = 256 // characters
)

type tag struct {
	Key   string
	Value string
}

type tagDescription struct {
	ResourceArn string
	Tags        wire.List[tag]
}

// tagCharacters is the pattern of keys and values in the model of the API.
var tagCharacters = regexp.MustCompile(tagPattern)

const tagPattern = `^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$`

// readTags parses the tags of a call that creates or tags a resource.
func (c *call) readTags() ([]tag, error) {
	var out []tag
	elements := c.Structs("Tags")
	if len(elements) == 0 && c.Has("Tags") {
		return nil, violates("[]", "tags", "have length greater than or equal to 1")
	}
	for i, p := range elements {
		t := tag{Key: p.Text("Key"), Value: p.Text("Value")}
		at := fmt.Sprintf("tags.%d.member.", i+1)
		if err := checkTagKey(t.Key, at+"key"); err != nil {
			return nil, err
		}
		if err := checkTagText(t.Value, at+"value", maxTagValue); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(out, func(o tag) bool { return o.Key == t.Key }) {
			return nil, wire.BadRequest("DuplicateTagKeys", "Tag key '%s' was specified more than once", t.Key)
		}
		out = append(out, t)
	}
	return out, checkTagCount(out)
}

// checkTagKey validates a key. The prefix "aws:" is reserved in any case of its letters.
func checkTagKey(key, at string) error {
	if key == "" {
		return violates(key, at, "have length greater than or equal to 1")
	}
	if err := checkTagText(key, at, maxTagKey); err != nil {
		return err
	}
	if strings.HasPrefix(strings.ToLower(key), "aws:") {
		return wire.ValidationError("Tag key '%s' cannot start with 'aws:'", key)
	}
	return nil
}

// checkTagText validates a key or value. Its length counts characters, not bytes.
func checkTagText(text, at string, longest int) error {
	if utf8.RuneCountInString(text) > longest {
		return violates(text, at, fmt.Sprintf("have length less than or equal to %d", longest))
	}
	if !tagCharacters.MatchString(text) {
		return violates(text, at, "satisfy regular expression pattern: "+tagPattern)
	}
	return nil
}

func checkTagCount(tags []tag) error {
	if len(tags) > maxTags {
		return wire.BadRequest("TooManyTags", "You've reached the limit on the number of tags for this resource: '%d'", maxTags)
	}
	return nil
}

// violates returns the error for a value that violates a constraint in the model of the API.
func violates(value, at, constraint string) error {
	return wire.ValidationError("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must %s", value, at, constraint)
}

// checkResource returns an error whose code depends on the resource type if the ARN identifies no resource of the region.
func (c *call) checkResource(arn string) error {
	kind, _, _ := strings.Cut(resourceOf(arn), "/")
	var region, code string
	switch kind {
	case "loadbalancer":
		code = "LoadBalancerNotFound"
		if b := c.state.balancers[arn]; b != nil {
			region = b.region
		}
	case "targetgroup":
		code = "TargetGroupNotFound"
		if g := c.state.groups[arn]; g != nil {
			region = g.region
		}
	case "listener":
		code = "ListenerNotFound"
		if l := c.state.listeners[arn]; l != nil {
			region = l.region
		}
	case "listener-rule":
		code = "RuleNotFound"
		if r := c.state.rules[arn]; r != nil {
			region = r.region
		}
	default:
		return wire.ValidationError("'%s' is not a valid load balancer, target group, listener or rule ARN", arn)
	}
	if region != c.region {
		return wire.BadRequest(code, "The following resource was not found: '%s'", arn)
	}
	return nil
}

// taggedResource returns the ARN of a call that changes tags. The API takes a list of ARNs but rejects more than one.
func (c *call) taggedResource() (string, error) {
	arns := c.List("ResourceArns")
	switch len(arns) {
	case 0:
		return "", wire.MissingParameter("resourceArns")
	case 1:
		return arns[0], c.checkResource(arns[0])
	}
	return "", wire.ValidationError("Only one resource can be tagged at a time")
}

// setTags replaces the tags of a resource.
func (c *call) setTags(arn string, tags []tag) {
	c.state.tags[arn] = c.state.tags[arn].with(tags, c.service.opts.Now())
}

func describeTags(c *call) (any, error) {
	arns := c.List("ResourceArns")
	if len(arns) == 0 {
		return nil, wire.MissingParameter("resourceArns")
	}
	if len(arns) > maxPerCall {
		return nil, wire.ValidationError("You cannot describe tags for more than '%d' resources at a time", maxPerCall)
	}
	now := c.service.opts.Now()
	var out struct{ TagDescriptions wire.List[tagDescription] }
	for _, arn := range arns {
		if err := c.checkResource(arn); err != nil {
			return nil, err
		}
		shown := c.state.tags[arn].asOf(now.Add(-c.effects.TagDelay(arn)), c.effects.StaleTags(arn))
		out.TagDescriptions.Members = append(out.TagDescriptions.Members, tagDescription{ResourceArn: arn, Tags: wire.List[tag]{Members: shown}})
	}
	return out, nil
}

func addTags(c *call) (any, error) {
	if err := c.Require("ResourceArns", "Tags"); err != nil {
		return nil, err
	}
	sent, err := c.readTags()
	if err != nil {
		return nil, err
	}
	arn, err := c.taggedResource()
	if err != nil {
		return nil, err
	}
	changed := slices.Clone(c.state.tags[arn].latest())
	for _, t := range sent {
		at := slices.IndexFunc(changed, func(o tag) bool { return o.Key == t.Key })
		if at < 0 {
			changed = append(changed, t)
			continue
		}
		changed[at] = t
	}
	c.setTags(arn, changed)
	return wire.Empty{}, checkTagCount(changed)
}

// removeTags ignores keys that the resource does not have.
func removeTags(c *call) (any, error) {
	keys := c.List("TagKeys")
	if len(keys) == 0 {
		return nil, wire.MissingParameter("tagKeys")
	}
	for i, key := range keys {
		if err := checkTagKey(key, fmt.Sprintf("tagKeys.%d.member", i+1)); err != nil {
			return nil, err
		}
	}
	arn, err := c.taggedResource()
	if err != nil {
		return nil, err
	}
	c.setTags(arn, slices.DeleteFunc(slices.Clone(c.state.tags[arn].latest()), func(t tag) bool { return slices.Contains(keys, t.Key) }))
	return wire.Empty{}, nil
}

// Tags returns the current tags of all resources that have any, by ARN.
func (s *Service) Tags() map[string]map[string]string {
	out := map[string]map[string]string{}
	for arn, history := range s.current.Load().tags {
		for _, t := range history.latest() {
			if out[arn] == nil {
				out[arn] = map[string]string{}
			}
			out[arn][t.Key] = t.Value
		}
	}
	return out
}
