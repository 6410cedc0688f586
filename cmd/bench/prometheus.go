package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// queryingGate queries Prometheus for the error rate of the new version over the last two
// seconds.
func queryingGate(url, interval string) string {
	return fmt.Sprintf(`
  gate {
    name     = "errors"
    interval = %q
    timeout  = "1s"
    prometheus {
      url   = %q
      query = "sum(increase(http_requests_total{code=\"500\"}[2s])) / sum(increase(http_requests_total[2s]))"
      max   = 0.01
    }
  }
`, interval, url)
}

// detectByPrometheus is detect with a real Prometheus server that scrapes the new version
// twice per second.
func (b bench) detectByPrometheus(ctx context.Context) (row, error) {
	const name = "prometheus, interval 2s, scrape interval 500ms"
	if _, err := exec.LookPath("prometheus"); err != nil {
		return row{what: "the same: " + name, goal: "under 3 intervals = 6 s", measured: "not measured: prometheus is not on PATH"}, nil
	}
	address, err := freeAddress()
	if err != nil {
		return row{}, err
	}
	var server *exec.Cmd
	defer func() {
		if server != nil {
			_ = server.Process.Kill()
			_ = server.Wait()
		}
	}()
	w := detector{name, queryingGate("http://"+address, "2s"), 2 * time.Second, "under 3 intervals = 6 s", 6 * time.Second}
	return b.detect(ctx, w, func(app *rehearsal.App) error {
		if server, err = b.startPrometheus(address, app.Address); err != nil {
			return err
		}
		return waitReady(ctx, "http://"+address+"/-/ready")
	})
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// startPrometheus starts a server for one target.
func (b bench) startPrometheus(address, target string) (*exec.Cmd, error) {
	dir, err := os.MkdirTemp(b.dir, "prometheus-")
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: { scrape_interval: 500ms }\nscrape_configs: [{ job_name: app, static_configs: [{ targets: [%q] }] }]\n", target)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	server := exec.Command("prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	return server, server.Start()
}

// waitReady waits until a server responds.
func waitReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s does not respond: %w", url, ctx.Err())
		}
	}
}
