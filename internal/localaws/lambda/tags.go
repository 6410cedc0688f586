package lambda

import "maps"

const maxTags = 50

// tagInput is the input of the actions on tags. Only a function has tags here, and not a version or an alias.
type tagInput struct {
	Resource string
	Tags     map[string]string
	TagKeys  []string `json:"tagKeys"`
}

func (c *call) tagged(resource string) (*function, target, error) {
	f, t, err := c.find(resource, "")
	if err == nil && t.qualifier != "" {
		err = invalid("Tags on function aliases and versions are not supported. Please specify a function ARN.")
	}
	return f, t, err
}

func tagResource(c *call, in tagInput) (any, error) {
	_, t, err := c.tagged(in.Resource)
	if err != nil {
		return nil, err
	}
	f := c.state.change(t.key)
	if f.tags == nil {
		f.tags = map[string]string{}
	}
	maps.Copy(f.tags, in.Tags)
	if len(f.tags) > maxTags {
		return nil, invalid("Number of tags exceeds resource tag limit.")
	}
	return deleted(), nil
}

func untagResource(c *call, in tagInput) (any, error) {
	_, t, err := c.tagged(in.Resource)
	if err != nil {
		return nil, err
	}
	f := c.state.change(t.key)
	for _, key := range in.TagKeys {
		delete(f.tags, key)
	}
	return deleted(), nil
}

func listTags(c *call, in tagInput) (any, error) {
	f, _, err := c.tagged(in.Resource)
	if err != nil {
		return nil, err
	}
	tags := map[string]string{}
	maps.Copy(tags, f.tags)
	return map[string]any{"Tags": tags}, nil
}
