package route53_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/route53"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// The printed command does what it says, with the AWS command line and a shell.
func TestCommand(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("needs the program aws")
	}
	d := newDNS(t)
	name := "it's \"blue\" $HOME #1"
	for identifier, weight := range map[string]int{name: 100, "green": 0} {
		s := record(types.RRTypeA, identifier, weight)
		s.HealthCheckId = new(d.healthCheck())
		d.change(types.ChangeActionCreate, s)
	}
	before := d.beside()
	s := d.read("A")
	s.Weights = map[string]int{d.group(appName, name): 40, d.group(appName, "green"): 60}
	d.setWeights(appName, "A", map[string]int{name: 1, "green": 2})
	line, err := route53.Command(d.route(appName, "A"), s)
	must(t, err)
	cmd := exec.CommandContext(t.Context(), "sh", "-c", strings.Replace(line, "aws ", "aws --endpoint-url "+d.srv.URL()+" ", 1))
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=AKIALOCAL", "AWS_SECRET_ACCESS_KEY="+secretKey, "AWS_DEFAULT_REGION=us-east-1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	if got, want := d.weights(appName, "A"), "green 60, "+name+" 40"; got != want {
		t.Errorf("the weights are %s, want %s", got, want)
	}
	if after := d.beside(); after != before {
		t.Errorf("got\n%swant\n%s", after, before)
	}
}

func TestCommand_refusesWhatWriteRefuses(t *testing.T) {
	forward, _ := pair(mixed(), route53.Options{})
	states, err := forward.Read(t.Context(), []string{web})
	must(t, err)
	for name, tt := range map[string]struct {
		weights map[string]int
		want    error
	}{
		"nothing":          {nil, route53.ErrInvalid},
		"only zeros":       {map[string]int{blue: 0, green: 0}, route53.ErrInvalid},
		"too much":         {map[string]int{blue: 256}, route53.ErrInvalid},
		"of another name":  {map[string]int{zone + "/api.example.com#blue": 1}, route53.ErrOtherName},
		"of no name":       {map[string]int{"blue": 1}, route53.ErrMalformed},
		"what is possible": {map[string]int{blue: 255}, nil},
	} {
		s := states[0]
		s.Weights = tt.weights
		if _, err := route53.Command(web, s); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, s := range map[string]traffic.State{
		"a response": {Response: "fixed response 503", Raw: states[0].Raw},
		"stickiness": {Weights: map[string]int{blue: 1}, Stickiness: 1, Raw: states[0].Raw},
		"no Raw":     {Weights: map[string]int{blue: 1}},
	} {
		if _, err := route53.Command(web, s); !errors.Is(err, route53.ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := route53.Command("x", states[0]); !errors.Is(err, route53.ErrMalformed) {
		t.Errorf("got %v", err)
	}
}
