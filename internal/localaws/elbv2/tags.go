package elbv2

import (
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

const maxTags = 50

type tag struct {
	Key   string
	Value string
}

type tagDescription struct {
	ResourceArn string
	Tags        wire.List[tag]
}

// readTags parses the tags of a call that creates or tags a resource.
func (c *call) readTags() ([]tag, error) {
	var out []tag
	for _, p := range c.Structs("Tags") {
		t := tag{Key: p.Text("Key"), Value: p.Text("Value")}
		if t.Key == "" || len(t.Key) > 128 || len(t.Value) > 256 {
			return nil, wire.ValidationError("Tag key '%s' must have 1 to 128 characters and its value at most 256", t.Key)
		}
		if strings.HasPrefix(t.Key, "aws:") {
			return nil, wire.ValidationError("Tag key '%s' begins with 'aws:', which is reserved", t.Key)
		}
		if slices.ContainsFunc(out, func(o tag) bool { return o.Key == t.Key }) {
			return nil, wire.BadRequest("DuplicateTagKeys", "Tag key '%s' was specified more than once", t.Key)
		}
		out = append(out, t)
	}
	if len(out) > maxTags {
		return nil, wire.BadRequest("TooManyTags", "You've reached the limit on the number of tags for this resource: '%d'", maxTags)
	}
	return out, nil
}

// checkResource returns an error whose code depends on the resource type if the ARN identifies no resource.
func (c *call) checkResource(arn string) error {
	kind, _, _ := strings.Cut(resourceOf(arn), "/")
	var exists bool
	switch kind {
	case "loadbalancer":
		exists = c.state.balancers[arn] != nil
	case "targetgroup":
		exists = c.state.groups[arn] != nil
	case "listener":
		exists = c.state.listeners[arn] != nil
	case "listener-rule":
		exists = c.state.rules[arn] != nil
	default:
		return wire.ValidationError("'%s' is not a valid load balancer, target group, listener or rule ARN", arn)
	}
	if exists {
		return nil
	}
	code := map[string]string{"loadbalancer": "LoadBalancerNotFound", "targetgroup": "TargetGroupNotFound", "listener": "ListenerNotFound", "listener-rule": "RuleNotFound"}[kind]
	return wire.BadRequest(code, "The following resource was not found: '%s'", arn)
}

// resources returns the ARNs of a tagging call, all of which must exist.
func (c *call) resources() ([]string, error) {
	if err := c.Require("ResourceArns"); err != nil {
		return nil, err
	}
	arns := c.List("ResourceArns")
	for _, arn := range arns {
		if err := c.checkResource(arn); err != nil {
			return nil, err
		}
	}
	return arns, nil
}

func describeTags(c *call) (any, error) {
	if n := len(c.List("ResourceArns")); n > maxPerCall {
		return nil, wire.ValidationError("You cannot describe tags for more than '%d' resources at a time", maxPerCall)
	}
	arns, err := c.resources()
	if err != nil {
		return nil, err
	}
	var out struct{ TagDescriptions wire.List[tagDescription] }
	for _, arn := range arns {
		out.TagDescriptions.Members = append(out.TagDescriptions.Members, tagDescription{ResourceArn: arn, Tags: wire.List[tag]{Members: c.state.tags[arn]}})
	}
	return out, nil
}

func addTags(c *call) (any, error) {
	arns, err := c.resources()
	if err != nil {
		return nil, err
	}
	sent, err := c.readTags()
	if err != nil {
		return nil, err
	}
	for _, arn := range arns {
		remaining := slices.DeleteFunc(slices.Clone(c.state.tags[arn]), func(t tag) bool {
			return slices.ContainsFunc(sent, func(s tag) bool { return s.Key == t.Key })
		})
		if len(remaining)+len(sent) > maxTags {
			return nil, wire.BadRequest("TooManyTags", "You've reached the limit on the number of tags for this resource: '%d'", maxTags)
		}
		c.state.tags[arn] = append(remaining, sent...)
	}
	return wire.Empty{}, nil
}

func removeTags(c *call) (any, error) {
	arns, err := c.resources()
	if err != nil {
		return nil, err
	}
	keys := c.List("TagKeys")
	for _, arn := range arns {
		c.state.tags[arn] = slices.DeleteFunc(slices.Clone(c.state.tags[arn]), func(t tag) bool { return slices.Contains(keys, t.Key) })
	}
	return wire.Empty{}, nil
}
