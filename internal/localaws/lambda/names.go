package lambda

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

// nameForm accepts what the API accepts as FunctionName: a name, a partial or a whole ARN, each with or without a qualifier.
var nameForm = regexp.MustCompile(`^(?:arn:aws[a-zA-Z-]*:lambda:)?(?:([a-z]{2}(?:-[a-z]+)+-\d):)?(?:(\d{12}):)?(?:function:)?([a-zA-Z0-9-_]+)(?::(\$LATEST|[a-zA-Z0-9-_]+))?$`)

// target is the function that a call names.
type target struct {
	key       functionKey
	qualifier string // empty: none
}

// find returns the function that a call names, and the qualifier in its name or beside it.
func (c *call) find(name, qualifier string) (*function, target, error) {
	m := nameForm.FindStringSubmatch(name)
	if m == nil {
		return nil, target{}, violation("ValidationException", "functionName", name, "satisfy regular expression pattern: "+
			`(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}(-gov)?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?`)
	}
	t := target{key: functionKey{c.request.Region, m[3]}, qualifier: m[4]}
	if qualifier != "" && t.qualifier != "" && qualifier != t.qualifier {
		return nil, t, wire.BadRequest("InvalidParameterValueException", "The derived qualifier from the function name does not match the specified qualifier.")
	}
	if qualifier != "" {
		t.qualifier = qualifier
	}
	f := c.state.functions[t.key]
	if f == nil || m[1] != "" && m[1] != c.request.Region || m[2] != "" && m[2] != c.opts.Account {
		return nil, t, c.noFunction(t)
	}
	return f, t, nil
}

// version returns the version that a call names: by its number, by an alias, or $LATEST.
func (c *call) version(f *function, t target) (*version, error) {
	qualifier := t.qualifier
	if qualifier == "" {
		qualifier = latest
	}
	if a := f.aliases[qualifier]; a != nil {
		qualifier = a.routing.version
	}
	if v := f.version(qualifier); v != nil {
		return v, nil
	}
	if !isNumber(t.qualifier) && t.qualifier != latest {
		return nil, noAlias(f, t.qualifier)
	}
	return nil, c.noFunction(t)
}

func (c *call) arnOf(t target) string {
	arn := "arn:aws:lambda:" + t.key.region + ":" + c.opts.Account + ":function:" + t.key.name
	if t.qualifier != "" {
		arn += ":" + t.qualifier
	}
	return arn
}

func (c *call) noFunction(t target) error { return notFound("Function not found: %s", c.arnOf(t)) }

func noAlias(f *function, name string) error {
	return notFound("Cannot find alias arn: %s:%s", f.arn, name)
}

func notFound(format string, args ...any) error {
	return &wire.Error{Status: http.StatusNotFound, Code: "ResourceNotFoundException", Message: fmt.Sprintf(format, args...)}
}

func conflict(format string, args ...any) error {
	return &wire.Error{Status: http.StatusConflict, Code: "ResourceConflictException", Message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error {
	return wire.BadRequest("InvalidParameterValueException", format, args...)
}

// violation is the error for a member that violates the model of the API.
func violation(code, member, value, constraint string) error {
	return wire.BadRequest(code, "1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must %s", value, member, constraint)
}

// stale is the error for a RevisionId that is not the latest.
func stale() error {
	return &wire.Error{
		Status: http.StatusPreconditionFailed, Code: "PreconditionFailedException",
		Message: "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id",
	}
}

// splitARN returns the parts of the ARN of a version, an alias or a function, which has no qualifier; all empty where
// it is none.
func splitARN(arn string) (region, name, qualifier string) {
	p := append(strings.Split(arn, ":"), "")
	if len(p) != 8 && len(p) != 9 {
		return "", "", ""
	}
	return p[3], p[6], p[7]
}

// newRevision returns a random UUID.
func newRevision() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never returns an error
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
