package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate/routers"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Exit is an exit code of the command.
type Exit int

// The exit codes.
const (
	Done    Exit = 0
	Failed  Exit = 1 // something was tried, or could not be found out
	Refused Exit = 2 // nothing was changed, and the same command is refused again
	Running Exit = 3 // the owner of the shift is still running
)

// Problem is why a verb did not do what it was asked for.
type Problem struct {
	Switch  string `json:"switch,omitempty"` // its address, where a command is about several
	Exit    Exit   `json:"exit_code"`
	Summary string `json:"summary"`
	Traffic string `json:"traffic,omitempty"` // where it is now, and what was done about it
	Cause   string `json:"cause,omitempty"`
	Action  string `json:"action,omitempty"` // what to do
	Err     error  `json:"-"`
}

// Error implements error with the text for people.
func (p *Problem) Error() string {
	parts := []string{p.Summary}
	if p.Switch != "" {
		parts[0] = p.Switch + ": " + p.Summary
	}
	if p.Traffic != "" {
		parts = append(parts, "Traffic: "+p.Traffic)
	}
	for _, text := range []string{p.Cause, p.Action} {
		if text != "" {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, "\n\n")
}

// Unwrap returns the underlying error, if any.
func (p *Problem) Unwrap() error { return p.Err }

const unchanged = "Nothing was changed."

// refuse returns a Problem that changed nothing.
func refuse(summary, cause, action string) *Problem {
	return &Problem{Exit: Refused, Summary: summary, Traffic: unchanged, Cause: cause, Action: action}
}

// callProblem is a call that failed before anything was written.
func (c Clients) callProblem(ctx context.Context, summary string, err error) *Problem {
	p := &Problem{Exit: Refused, Summary: summary, Traffic: "not read. " + unchanged, Cause: sentence(err.Error()), Err: err}
	id, gone := traffic.Missing(err)
	advice := routers.Advice(err)
	switch {
	case advice != "":
		p.Action = advice
	case errors.Is(err, traffic.ErrExpired):
		p.Action = "The AWS credentials have expired or are not valid. Renew them, then run the command again." + c.otherPartition()
	case gone || errors.Is(err, traffic.ErrNotFound):
		p.Action = routers.Missing(id) + c.otherAccount(ctx, id)
	case errors.Is(err, traffic.ErrDenied):
		p.Action = "Allow the IAM action that the cause names." + c.otherAccount(ctx, routers.Resource(err))
	default:
		p.Exit, p.Action = Failed, "Run the command again. If it fails again, check "+routers.Network(err)+"."
	}
	return p
}

// otherAccount says where credentials and resource belong to two accounts; empty: they do not.
func (c Clients) otherAccount(ctx context.Context, id string) string {
	owner := routers.Account(id)
	if owner == "" || c.Account == nil {
		return ""
	}
	if has := c.Account(ctx); has != "" && has != owner {
		return fmt.Sprintf(" The credentials belong to account %s, and the ARN to account %s.", has, owner)
	}
	return ""
}

// otherPartition says that credentials may be valid elsewhere; empty: they are not.
func (c Clients) otherPartition() string {
	if c.Assumed == "" {
		return ""
	}
	return fmt.Sprintf(" No region is set, and a record has none, so %s was called. If the credentials are for AWS GovCloud or China, set AWS_REGION to a region there.", c.Assumed)
}

// sentence ends a text with a period and begins it with a capital letter, except for a name such as
// that of an IAM action or an ARN.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	text = oneLine(text)
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	if first, _, _ := strings.Cut(text, " "); strings.Contains(first, ":") {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// oneLine joins the lines of an error of several calls. Equal ones are left out.
func oneLine(text string) string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}
