package lambda

import (
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

const (
	defaultTimeout, maxTimeout = 3, 900 // seconds
	defaultMemory              = 128    // MB
)

// named is the input of the actions that name a function, a version or an alias, and nothing else.
type named struct {
	FunctionName, Qualifier string
}

type code struct {
	ZipFile                   []byte
	S3Bucket, S3Key, ImageUri string
}

func (c code) digest() string {
	sum := sha256.Sum256(append(c.ZipFile, c.S3Bucket+"/"+c.S3Key+c.ImageUri...))
	return base64.StdEncoding.EncodeToString(sum[:])
}

type functionInput struct {
	settings
	FunctionName, Description, RevisionId string
	Code                                  *code
	Tags                                  map[string]string
	Publish                               bool
}

// check sets the defaults of the API.
func (in *functionInput) check() error {
	s := &in.settings
	if s.Timeout == 0 {
		s.Timeout = defaultTimeout
	}
	if s.MemorySize == 0 {
		s.MemorySize = defaultMemory
	}
	if s.PackageType == "" {
		s.PackageType = "Zip"
	}
	if s.Architecture == nil {
		s.Architecture = []string{"x86_64"}
	}
	if s.Timeout < 1 || s.Timeout > maxTimeout {
		return violation("InvalidParameterValueException", "timeout", "", "have value less than or equal to 900")
	}
	return nil
}

func createFunction(c *call, in functionInput) (any, error) {
	_, t, err := c.find(in.FunctionName, "")
	switch {
	case err == nil:
		return nil, conflict("Function already exist: %s", t.key.name)
	case t.key.name == "":
		return nil, err
	case in.Role == "":
		return nil, wire.BadRequest("ValidationException", "1 validation error detected: Value null at 'role' failed to satisfy constraint: Member must not be null")
	case in.Code == nil:
		return nil, wire.BadRequest("ValidationException", "1 validation error detected: Value null at 'code' failed to satisfy constraint: Member must not be null")
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	f := &function{
		arn: c.arnOf(target{key: t.key}), aliases: map[string]*alias{}, provisioned: map[string]*provisioned{}, tags: maps.Clone(in.Tags),
		latest: &version{number: latest, settings: in.settings, description: in.Description, digest: in.Code.digest(), size: len(in.Code.ZipFile)},
	}
	c.touch(f.latest)
	c.state.functions[t.key] = f
	if in.Publish {
		return created(f.configuration(f.publish(c, in.Description), c.now)), nil
	}
	return created(f.configuration(f.latest, c.now)), nil
}

// touch gives a version that was changed a new revision.
func (c *call) touch(v *version) {
	v.revision, v.modified, v.activeAt = newRevision(), c.now, c.now.Add(c.opts.Activation)
}

func created(result any) any { return wire.Answer{Status: http.StatusCreated, Result: result} }

func deleted() any { return wire.Answer{Status: http.StatusNoContent} }

// configuration is a version as the API shows it.
type configuration struct {
	settings
	FunctionName, FunctionArn, Description, Version string
	CodeSha256, LastModified, RevisionId            string
	CodeSize                                        int
	State                                           string
	StateReason                                     string `json:",omitempty"`
	StateReasonCode                                 string `json:",omitempty"`
	LastUpdateStatus                                string
	LastUpdateStatusReason                          string `json:",omitempty"`
	LastUpdateStatusReasonCode                      string `json:",omitempty"`
}

const timeForm = "2006-01-02T15:04:05.000-0700"

func (f *function) configuration(v *version, now time.Time) configuration {
	_, name, _ := splitARN(f.arn)
	out := configuration{
		settings: v.settings, FunctionName: name, FunctionArn: f.arn, Description: v.description, Version: v.number,
		CodeSha256: v.digest, CodeSize: v.size, LastModified: v.modified.UTC().Format(timeForm), RevisionId: v.revision,
		State: "Active", LastUpdateStatus: "Successful",
	}
	if v.number != latest {
		out.FunctionArn += ":" + v.number
	}
	switch {
	case now.Before(v.activeAt):
		out.State, out.StateReason, out.StateReasonCode = "Pending", "The function is being created.", "Creating"
		out.LastUpdateStatus, out.LastUpdateStatusReason, out.LastUpdateStatusReasonCode = "InProgress", "The function is being created.", "Creating"
	case v.failure.code != "":
		out.State, out.StateReason, out.StateReasonCode = "Failed", v.failure.reason, v.failure.code
		out.LastUpdateStatus, out.LastUpdateStatusReason, out.LastUpdateStatusReasonCode = "Failed", v.failure.reason, v.failure.code
	}
	return out
}

func getFunctionConfiguration(c *call, in named) (any, error) {
	f, t, err := c.find(in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	v, err := c.version(f, t)
	if err != nil {
		return nil, err
	}
	out := f.configuration(v, c.now)
	if t.qualifier != "" && t.qualifier != v.number { // by an alias
		out.FunctionArn = f.arn + ":" + t.qualifier
	}
	return out, nil
}

func getFunction(c *call, in named) (any, error) {
	shown, err := getFunctionConfiguration(c, in)
	if err != nil {
		return nil, err
	}
	f, _, _ := c.find(in.FunctionName, in.Qualifier)
	return struct {
		Configuration any
		Code          map[string]string
		Tags          map[string]string `json:",omitempty"`
	}{shown, map[string]string{"RepositoryType": "S3", "Location": "https://localaws.invalid/" + f.latest.digest}, f.tags}, nil
}

// onlyLatest refuses a change of a published version.
func onlyLatest(t target) error {
	if t.qualifier != "" && t.qualifier != latest {
		return invalid("Current operation does not support versions other than $LATEST. Please set the version to $LATEST or do not set a version in your request.")
	}
	return nil
}

// changeLatest replaces $LATEST.
func (c *call) changeLatest(name, revision string, change func(v *version) error) (*function, error) {
	f, t, err := c.find(name, "")
	if err != nil {
		return nil, err
	}
	if err := onlyLatest(t); err != nil {
		return nil, err
	}
	if revision != "" && revision != f.latest.revision {
		return nil, stale()
	}
	next := *f.latest
	if err := change(&next); err != nil {
		return nil, err
	}
	c.touch(&next)
	f = c.state.change(t.key)
	f.latest = &next
	return f, nil
}

func updateFunctionCode(c *call, in struct {
	code
	FunctionName, RevisionId string
	Publish                  bool
}) (any, error) {
	f, err := c.changeLatest(in.FunctionName, in.RevisionId, func(v *version) error {
		v.digest, v.size = in.digest(), len(in.ZipFile)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if in.Publish {
		return f.configuration(f.publish(c, ""), c.now), nil
	}
	return f.configuration(f.latest, c.now), nil
}

func updateFunctionConfiguration(c *call, in functionInput) (any, error) {
	f, err := c.changeLatest(in.FunctionName, in.RevisionId, func(v *version) error {
		given := in.settings
		next := v.settings
		if given.Environment != nil {
			next.Environment = given.Environment
		}
		for _, text := range []struct{ to, from *string }{{&next.Role, &given.Role}, {&next.Handler, &given.Handler}, {&next.Runtime, &given.Runtime}, {&v.description, &in.Description}} {
			if *text.from != "" {
				*text.to = *text.from
			}
		}
		if given.Timeout != 0 {
			next.Timeout = given.Timeout
		}
		if given.MemorySize != 0 {
			next.MemorySize = given.MemorySize
		}
		in.settings = next
		err := in.check()
		v.settings = in.settings
		return err
	})
	if err != nil {
		return nil, err
	}
	return f.configuration(f.latest, c.now), nil
}

// deleteFunction deletes a function, or the version of a qualifier that no alias has.
func deleteFunction(c *call, in named) (any, error) {
	f, t, err := c.find(in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	switch {
	case t.qualifier == "":
		delete(c.state.functions, t.key)
		return deleted(), nil
	case !isNumber(t.qualifier):
		return nil, invalid("$LATEST version cannot be deleted without deleting the function.")
	}
	for _, name := range slices.Sorted(maps.Keys(f.aliases)) {
		r := f.aliases[name].routing
		if _, additional := r.weights[t.qualifier]; r.version == t.qualifier || additional {
			// The text is an assumption.
			return nil, conflict("Version (%s) can't be deleted because it has an alias pointing to it. Aliases: [%s]", t.qualifier, name)
		}
	}
	f = c.state.change(t.key)
	f.versions = slices.DeleteFunc(f.versions, func(v *version) bool { return v.number == t.qualifier })
	delete(f.provisioned, t.qualifier)
	return deleted(), nil
}

func getFunctionCodeSigningConfig(c *call, in named) (any, error) {
	_, t, err := c.find(in.FunctionName, "")
	return map[string]string{"FunctionName": t.key.name, "CodeSigningConfigArn": ""}, err
}
