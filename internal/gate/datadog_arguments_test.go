package gate_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/datadog"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// onSite is a gate without an address of its own.
func onSite(change func(*gate.Datadog)) gate.Datadog {
	c := withDatadog(gate.Datadog{}, "")
	change(&c)
	return c
}

func TestDatadog_badArguments(t *testing.T) {
	t.Parallel()
	two := []datadog.Metric{{Name: "a", Query: "sum:a{*}"}, {Name: "b", Query: "sum:b{*}"}}
	formula := func(text string, metrics ...datadog.Metric) gate.Datadog {
		return onSite(func(c *gate.Datadog) { c.Query, c.Formula, c.Metrics = "", text, metrics })
	}
	for _, c := range []gate.Datadog{
		{},
		onSite(func(c *gate.Datadog) { c.Query = " \n" }),
		onSite(func(c *gate.Datadog) { c.Site = "https://datadoghq.eu" }),
		onSite(func(c *gate.Datadog) { c.Site = "us3" }),
		onSite(func(c *gate.Datadog) { c.Site = "datadoghq.eu:443" }),
		onSite(func(c *gate.Datadog) { c.Site = "app.datadoghq.eu" }),
		onSite(func(c *gate.Datadog) { c.Site = "api.us3.datadoghq.com" }),
		onSite(func(c *gate.Datadog) { c.Site, c.URL = "datadoghq.eu", "https://proxy.example.com" }),
		onSite(func(c *gate.Datadog) { c.URL = "proxy.example.com" }),
		onSite(func(c *gate.Datadog) { c.APIVersion = "v3" }),
		onSite(func(c *gate.Datadog) { c.APIVersion, c.Aggregator = "v1", "sum" }),
		onSite(func(c *gate.Datadog) { c.Aggregator = "p99" }),
		onSite(func(c *gate.Datadog) { c.Formula, c.Metrics = "a / b", two }),
		onSite(func(c *gate.Datadog) { c.Metrics = two }),
		formula("a / b"),
		onSite(func(c *gate.Datadog) { c.Query, c.APIVersion, c.Formula, c.Metrics = "", "v1", "a / b", two }),
		formula("a", datadog.Metric{Name: "1a", Query: "sum:a{*}"}, datadog.Metric{Name: "b"}, datadog.Metric{Name: "b", Query: "sum:b{*}", Aggregator: "p99"}),
		onSite(func(c *gate.Datadog) { c.Max = nil }),
		onSite(func(c *gate.Datadog) { c.Min = new(6.0) }),
		onSite(func(c *gate.Datadog) { c.Lookback, c.Lag = 9*time.Second, -time.Second }),
		onSite(func(c *gate.Datadog) { c.OnNoData = "error" }),
		onSite(func(c *gate.Datadog) { c.Query = "avg:a{version:{{incoming.tag}}}" }),
		onSite(func(c *gate.Datadog) { c.APIKeyEnv, c.AppKeyEnv = "UNSET", "EMPTY" }),
		onSite(func(c *gate.Datadog) { c.APIKeyEnv, c.AppKeyEnv = "LINES", "A=B" }),
		onSite(func(c *gate.Datadog) {
			c.Headers, c.HeadersEnv = map[string]string{"dd-api-key": "x", "content-type": "x"}, map[string]string{"DD-Application-Key": "OTHER"}
		}),
		onSite(func(c *gate.Datadog) { c.CAFile = "/no/such/file" }),
	} {
		g, err := gate.NewDatadog(c, datadogDeps())
		if g != nil || err == nil {
			t.Errorf("NewDatadog accepts %+v", c)
			continue
		}
		golden.Record(t, err.Error())
		if _, ok := errors.AsType[*gate.ArgumentError](err); !ok {
			t.Errorf("%v is not an ArgumentError", err)
		}
	}
	if errs := onSite(func(c *gate.Datadog) { c.APIKeyEnv, c.CAFile = "UNSET", "/no/such/file" }).Check(); errs != nil {
		t.Errorf("Check reads the machine: %v", errs)
	}
}

// A gate asks the site of its account. Nothing is sent there: the name is that of a proxy that
// does not exist.
func TestDatadog_site(t *testing.T) {
	t.Parallel()
	for site, want := range map[string]string{"": "https://api.datadoghq.com: ", "us3.datadoghq.com": "https://api.us3.datadoghq.com: "} {
		g := mustBuild(t)(gate.NewDatadog(onSite(func(c *gate.Datadog) { c.Site = site }), datadogDeps()))
		in := canaryInput()
		in.ChangedAt = time.Now().Add(time.Hour) // before there is any data
		if v := g.Evaluate(t.Context(), in); v.Status != rollout.Inconclusive || !strings.Contains(v.Detail, want) {
			t.Errorf("%s: got %+v", site, v)
		}
	}
}

func TestDatadog_hidesSecrets(t *testing.T) {
	t.Parallel()
	const apiKey, appKey, inHeader, password = "api-key-0123456789abcdef0123456789", "app-key-0123456789abcdef0123456789", "plain-but-hidden", "pa55word"
	var echo strings.Builder
	for _, secret := range []string{apiKey, appKey, inHeader, "s3cret-tenant", password} {
		echo.WriteString(strings.Join(encodings(secret), " ") + " ")
	}
	group := `{"data":{"attributes":{"columns":[{"name":"key","type":"group","values":[[%q]]},{"name":"query","type":"number","values":[%s]}]}}}`
	verdicts := map[rollout.Status]bool{}
	for _, tt := range []struct {
		status        int
		version, body string
	}{
		{200, datadog.V2, fmt.Sprintf(group, echo.String(), "1")},
		{200, datadog.V2, fmt.Sprintf(group, echo.String(), "6")},
		{200, datadog.V2, fmt.Sprintf(group, echo.String(), "null")},
		{200, datadog.V2, fmt.Sprintf(`{"errors":%q}`, echo.String())},
		{200, datadog.V1, fmt.Sprintf(`{"status":"error","error":%q}`, echo.String())},
		{200, datadog.V1, fmt.Sprintf(`{"status":"ok","series":[{"pointlist":[[1,%q]]}]}`, apiKey)},
		{403, datadog.V2, fmt.Sprintf(`{"errors":[%q]}`, echo.String())},
		{500, datadog.V1, echo.String()},
		{302, datadog.V1, ""},
	} {
		url := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			if tt.status == 302 {
				w.Header().Set("Location", "/"+r.Header.Get("DD-API-KEY")+"?"+appKey)
			}
			w.WriteHeader(tt.status)
			_, _ = io.WriteString(w, tt.body)
		})
		for _, address := range []string{url, "http://127.0.0.1:1"} {
			c := withDatadog(gate.Datadog{APIVersion: tt.version, Query: "avg:a{key:" + appKey + "}"}, strings.Replace(address, "http://", "http://user:"+password+"@", 1)+"/"+apiKey)
			c.Headers, c.HeadersEnv = map[string]string{"X-Key": inHeader}, map[string]string{"X-Tenant": "TENANT"}
			g := mustBuild(t)(gate.NewDatadog(c, datadogDeps()))
			v := g.Evaluate(t.Context(), canaryInput())
			verdicts[v.Status] = true
			for _, v := range []rollout.Verdict{v, preflight(t, g, canaryInput())} {
				wantNoSecret(t, v, apiKey, appKey, inHeader, "s3cret-tenant", password)
			}
		}
	}
	if len(verdicts) != 4 {
		t.Errorf("got only the verdicts %v, want all 4", verdicts)
	}
}
