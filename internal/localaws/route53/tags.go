package route53

import (
	"maps"
	"slices"
)

// tagged identifies a resource with tags: its type, hostedzone or healthcheck, and its ID.
type tagged struct{ kind, id string }

type tag struct {
	Key   string
	Value string
}

type changeTagsInput struct {
	ResourceType  string
	ResourceID    string `json:"ResourceId"`
	AddTags       []tag
	RemoveTagKeys []string
}

func changeTags(c *call, in changeTagsInput) (any, error) {
	at := tagged{in.ResourceType, in.ResourceID}
	if err := c.checkTagged(at); err != nil {
		return nil, err
	}
	next := maps.Clone(c.state.tags[at])
	if next == nil {
		next = map[string]string{}
	}
	for _, t := range in.AddTags {
		next[t.Key] = t.Value
	}
	for _, key := range in.RemoveTagKeys {
		delete(next, key)
	}
	c.state.tags[at] = next
	return struct{}{}, nil
}

// checkTagged checks that a resource with tags exists.
func (c *call) checkTagged(at tagged) error {
	switch at.kind {
	case "hostedzone":
		_, err := c.zone(at.id)
		return err
	case "healthcheck":
		if c.state.checks[at.id] == nil {
			return noHealthCheck(at.id)
		}
		return nil
	}
	return violation(at.kind, "resourceType", "satisfy enum value set: [healthcheck, hostedzone]")
}

type tagsResult struct {
	ResourceTagSet struct {
		ResourceType string
		ResourceID   string `xml:"ResourceId"`
		Tags         tagList
	}
}

type tagList struct {
	Members []tag `xml:"Tag"`
}

func listTags(c *call, in changeTagsInput) (any, error) {
	at := tagged{in.ResourceType, in.ResourceID}
	if err := c.checkTagged(at); err != nil {
		return nil, err
	}
	var out tagsResult
	out.ResourceTagSet.ResourceType, out.ResourceTagSet.ResourceID = at.kind, at.id
	tags := c.state.tags[at]
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		out.ResourceTagSet.Tags.Members = append(out.ResourceTagSet.Tags.Members, tag{key, tags[key]})
	}
	return out, nil
}
