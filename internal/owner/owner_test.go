package owner

import "testing"

func TestRun(t *testing.T) {
	for _, tt := range []struct {
		variables map[string]string
		want      string
	}{
		{nil, ""},
		{map[string]string{"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "acme/shop", "GITHUB_RUN_ID": "42"}, "https://github.com/acme/shop/actions/runs/42"},
		{map[string]string{"CI_JOB_URL": "https://gitlab.com/acme/shop/-/jobs/7"}, "https://gitlab.com/acme/shop/-/jobs/7"},
	} {
		got := run(func(name string) (string, bool) { value, ok := tt.variables[name]; return value, ok })
		if got != tt.want {
			t.Errorf("%v: %q, want %q", tt.variables, got, tt.want)
		}
	}
}

func TestAbandoned(t *testing.T) {
	o := New(func(string) (string, bool) { return "", false })
	if abandoned, _ := Abandoned(o); abandoned || o.Host == "" || o.PID == 0 {
		t.Errorf("this process: %+v, abandoned %t", o, abandoned)
	}
}
