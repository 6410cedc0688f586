package lambda

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

// provisionedAnswer is provisioned concurrency as the API shows it.
type provisionedAnswer struct {
	FunctionArn                              string `json:",omitempty"` // in lists only
	RequestedProvisionedConcurrentExecutions int
	AvailableProvisionedConcurrentExecutions int
	AllocatedProvisionedConcurrentExecutions int
	Status                                   string
	StatusReason                             string `json:",omitempty"`
	LastModified                             string
}

func (p *provisioned) answer(now time.Time) provisionedAnswer {
	out := provisionedAnswer{RequestedProvisionedConcurrentExecutions: p.requested, Status: "READY", LastModified: p.modified.UTC().Format("2006-01-02T15:04:05-0700")}
	switch {
	case now.Before(p.readyAt):
		out.Status = "IN_PROGRESS"
	case p.failure != "":
		out.Status, out.StatusReason = "FAILED", p.failure
	default:
		out.AvailableProvisionedConcurrentExecutions, out.AllocatedProvisionedConcurrentExecutions = p.requested, p.requested
	}
	return out
}

// servesPrevious returns the version that an alias sends invocations to instead of its own; empty: its own.
func (p *provisioned) servesPrevious(now time.Time) string {
	if p != nil && (now.Before(p.readyAt) || p.failure != "") {
		return p.previous
	}
	return ""
}

// findQualified returns the function of a call about provisioned concurrency, which has a version or an alias.
func (c *call) findQualified(in named) (*function, target, error) {
	f, t, err := c.find(in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, t, err
	}
	if t.qualifier == "" || t.qualifier == latest {
		return nil, t, invalid("The function resource provided must be an alias or a published version.")
	}
	_, err = c.version(f, t)
	return f, t, err
}

func putProvisioned(c *call, in struct {
	named
	ProvisionedConcurrentExecutions int
}) (any, error) {
	f, t, err := c.findQualified(in.named)
	switch {
	case err != nil:
		return nil, err
	case in.ProvisionedConcurrentExecutions < 1:
		return nil, violation("ValidationException", "provisionedConcurrentExecutions", "0", "have value greater than or equal to 1")
	case f.aliases[t.qualifier] != nil && len(f.shown(t.qualifier, c.now).weights) > 0:
		return nil, invalid("Alias with weights can not be used with Provisioned Concurrency")
	case f.aliases[t.qualifier] != nil && f.aliases[t.qualifier].routing.version == latest:
		return nil, invalid("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
	}
	p := &provisioned{requested: in.ProvisionedConcurrentExecutions, modified: c.now, readyAt: c.now.Add(c.opts.Provisioning)}
	c.state.change(t.key).provisioned[t.qualifier] = p
	return wire.Answer{Status: http.StatusAccepted, Result: p.answer(c.now)}, nil
}

func getProvisioned(c *call, in named) (any, error) {
	f, t, err := c.findQualified(in)
	if err != nil {
		return nil, err
	}
	p := f.provisioned[t.qualifier]
	if p == nil {
		return nil, &wire.Error{
			Status: http.StatusNotFound, Code: "ProvisionedConcurrencyConfigNotFoundException", Message: "No Provisioned Concurrency Config found for this function",
		}
	}
	return p.answer(c.now), nil
}

func deleteProvisioned(c *call, in named) (any, error) {
	_, t, err := c.findQualified(in)
	if err != nil {
		return nil, err
	}
	delete(c.state.change(t.key).provisioned, t.qualifier)
	return deleted(), nil
}

type listedProvisioned struct {
	ProvisionedConcurrencyConfigs []provisionedAnswer
	NextMarker                    string `json:",omitempty"`
}

func listProvisioned(c *call, in page) (any, error) {
	f, _, err := c.find(in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	all := []provisionedAnswer{}
	for _, qualifier := range slices.Sorted(maps.Keys(f.provisioned)) {
		shown := f.provisioned[qualifier].answer(c.now)
		shown.FunctionArn = f.arn + ":" + qualifier
		all = append(all, shown)
	}
	some, next := cut(all, in)
	return listedProvisioned{some, next}, nil
}
