package notifying

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/notify"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/gates"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
)

// Settings is where the shifts of a provider are notified of.
type Settings struct {
	destinations []notify.Destination
	// unknown are the names of destinations that are not known yet.
	unknown []string
	lookup  func(string) (string, bool)
}

// Read returns the settings of a provider, and what is wrong as far as the configuration alone shows
// it. The environment is read when a shift starts: a variable that is not set must not hold up a
// rollback. A destination with unknown arguments is left out, which matters only at an apply.
func Read(v types.List, lookup func(string) (string, bool)) (Settings, diag.Diagnostics) {
	s, all := Settings{lookup: lookup}, &input.Reader{}
	first := map[string]path.Path{}
	for i, block := range all.Blocks(v) {
		rd := &input.Reader{}
		d := destination(rd, path.Root("notify").AtListIndex(i), rd.Attributes(block), first)
		for _, problem := range rd.Diags {
			all.Add(input.About(problem, input.Fact{"Notify", d.Name}))
		}
		switch {
		case rd.Unknown:
			s.unknown = append(s.unknown, d.Name)
		case !rd.Diags.HasError():
			s.destinations = append(s.destinations, d)
		}
	}
	return s, all.Diags
}

// destination reads a block.
func destination(rd *input.Reader, at path.Path, a map[string]attr.Value, first map[string]path.Path) notify.Destination {
	d := notify.Destination{Name: name(rd, at.AtName("name"), a["name"], first), Events: events(rd, at.AtName("events"), a["events"])}
	slack, webhook := a["slack"], a["webhook"]
	switch {
	case !input.NoBlock(slack) && !input.NoBlock(webhook):
		if rd.Known(slack) && rd.Known(webhook) {
			rd.Add(input.Misuse(at.AtName("name"), `The block has two destinations, "slack" and "webhook". Keep one, and add a separate notify block for the other.`))
		}
	case !input.NoBlock(slack):
		if in, args := rd.Block(at.AtName("slack"), slack); args != nil {
			d.Slack = &notify.Slack{URLEnv: variable(rd, in.AtName("url_env"), args["url_env"])}
		}
	case !input.NoBlock(webhook):
		if in, args := rd.Block(at.AtName("webhook"), webhook); args != nil {
			w := gates.FixedWebhook(rd, in, args)
			d.Webhook = &w
		}
	case a != nil:
		rd.Add(input.Misuse(at.AtName("name"), `The block has no destination. Add exactly one of the blocks "slack" and "webhook".`))
	}
	return d
}

// name reads the name of a destination. First are those so far.
func name(rd *input.Reader, at path.Path, v attr.Value, first map[string]path.Path) string {
	text := rd.Text(v)
	if !rd.Known(v) {
		return ""
	}
	switch before, taken := first[text]; {
	case strings.TrimSpace(text) != text || text == "" || strings.ContainsFunc(text, unicode.IsControl):
		rd.Add(input.Misuse(at, "The name cannot be used: it is empty, begins or ends with white space, or contains a control character. Use a name such as on-call.", input.Fact{"Name", strconv.Quote(text)}))
	case taken:
		rd.Add(input.Misuse(at, fmt.Sprintf("The name is used by %s as well. Each notify block needs its own name.", input.PathText(before))))
	default:
		first[text] = at
	}
	return text
}

// events reads the events of a destination; nil where it has none of its own.
func events(rd *input.Reader, at path.Path, v attr.Value) []notify.Event {
	list, ok := v.(types.List)
	if !rd.Known(v) || !ok {
		return nil
	}
	if len(list.Elements()) == 0 {
		rd.Add(input.Misuse(at, "The list is empty, so nothing would be sent. Name at least one event, or remove events."))
		return nil
	}
	var known []string
	for _, e := range notify.Events() {
		known = append(known, string(e))
	}
	var read []notify.Event
	for i, e := range list.Elements() {
		at := at.AtListIndex(i)
		if input.Missing(e) {
			rd.Add(input.NullElement(at))
			continue
		}
		if !rd.Known(e) {
			continue
		}
		before := rd.Diags.ErrorsCount()
		event := notify.Event(rd.Choice(at, e, known...))
		if rd.Diags.ErrorsCount() == before && slices.Contains(read, event) {
			rd.Add(input.Misuse(at, "The event is listed twice. Remove one of them.", input.Fact{"Value", strconv.Quote(string(event))}))
		}
		read = append(read, event)
	}
	return read
}

// variable reads the name of an environment variable. The value itself, such as a URL, is not
// repeated: it is a secret.
func variable(rd *input.Reader, at path.Path, v attr.Value) string {
	text := rd.Text(v)
	if rd.Known(v) && (text == "" || strings.ContainsAny(text, "=:/\x00 ")) {
		rd.Add(input.Misuse(at, "It is not the name of an environment variable. Use a name such as SLACK_WEBHOOK_URL, and set the variable to the URL."))
	}
	return text
}
