package rehearsal

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// appMetrics are the Prometheus metrics of user requests. Health checks, test traffic and /metrics do not
// count.
//
//	http_requests_total{version, code}                 200 and 500 exist from the start with 0
//	http_request_duration_seconds{version, code}       a histogram
type appMetrics struct {
	handler   http.Handler
	requests  *prometheus.CounterVec
	durations prometheus.ObserverVec
	version   string
}

// newAppMetrics uses its own registry, so that a program can run several versions.
func newAppMetrics(version string) appMetrics {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "http_requests_total",
		Help: "Requests of users, by status code.",
	}, []string{"version", "code"})
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "http_request_duration_seconds",
		Help: "How long requests of users took, by status code.",
		// From 1 ms to 2.2 s, fine enough to distinguish a release that is three times slower from one that is
		// twice as slow.
		Buckets: prometheus.ExponentialBuckets(0.001, 1.5, 20),
	}, []string{"version", "code"})
	registry := prometheus.NewRegistry()
	registry.MustRegister(requests, durations)
	m := appMetrics{handler: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), requests: requests, durations: durations, version: version}
	for _, code := range []int{http.StatusOK, http.StatusInternalServerError} {
		requests.WithLabelValues(version, strconv.Itoa(code))
	}
	return m
}

func (m appMetrics) count(code int, took time.Duration) {
	m.requests.WithLabelValues(m.version, strconv.Itoa(code)).Inc()
	m.durations.WithLabelValues(m.version, strconv.Itoa(code)).Observe(took.Seconds())
}
