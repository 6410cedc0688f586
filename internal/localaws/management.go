package localaws

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/dataplane"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/elbv2"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/lambda"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/route53"
)

// maxBodyBytes limits the body of a request.
const maxBodyBytes = 1 << 20

// management serves the management port. All response bodies are JSON.
type management struct {
	log      *slog.Logger
	endpoint string // URL
	plane    *dataplane.Plane
	elb      *elbv2.Service
	route53  *route53.Service
	lambda   *lambda.Service
	answers  func(name, kind string) map[string]int // of the DNS server
	faults   *faults.Set
	journal  *journal
}

func (m *management) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		m.writeJSON(w, http.StatusOK, map[string]string{"status": "ok", "endpoint": m.endpoint})
	})
	mux.HandleFunc("GET /listeners", func(w http.ResponseWriter, _ *http.Request) {
		m.writeJSON(w, http.StatusOK, m.listeners())
	})
	mux.HandleFunc("GET /counts", func(w http.ResponseWriter, _ *http.Request) {
		m.writeJSON(w, http.StatusOK, m.plane.AllCounts())
	})
	mux.HandleFunc("GET /tags", func(w http.ResponseWriter, _ *http.Request) {
		m.writeJSON(w, http.StatusOK, m.elb.Tags())
	})
	mux.HandleFunc("GET /records", func(w http.ResponseWriter, _ *http.Request) {
		m.writeJSON(w, http.StatusOK, m.route53.Status())
	})
	mux.HandleFunc("GET /aliases", func(w http.ResponseWriter, _ *http.Request) {
		m.writeJSON(w, http.StatusOK, m.lambda.Status())
	})
	invoke := func(w http.ResponseWriter, r *http.Request) { m.lambda.ServeURL(w, r, r.PathValue("arn")) }
	mux.HandleFunc("/invoke/{arn}", invoke)
	mux.HandleFunc("/invoke/{arn}/{path...}", invoke)
	mux.HandleFunc("GET /answers/{name}/{type}", func(w http.ResponseWriter, r *http.Request) {
		m.writeJSON(w, http.StatusOK, m.answers(r.PathValue("name"), r.PathValue("type")))
	})
	mux.HandleFunc("POST /health-checks/{id}", m.postHealth)
	mux.HandleFunc("GET /calls", m.getCalls)
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) {
		m.writeJSON(w, http.StatusOK, m.faults.List())
	})
	mux.HandleFunc("POST /faults", m.postFault)
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, _ *http.Request) {
		m.faults.Clear()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("DELETE /faults/{id}", m.deleteFault)
	return mux
}

// listenerStatus is a listener in a response of the management port.
type listenerStatus struct {
	Address string                   `json:"address"`
	Port    int                      `json:"port"`
	Rules   []elbv2.RuleStatus       `json:"rules"`
	Counts  dataplane.ListenerCounts `json:"counts"`
}

func (m *management) listeners() map[string]listenerStatus {
	out := map[string]listenerStatus{}
	for arn, l := range m.elb.Status() {
		out[arn] = listenerStatus{Address: m.plane.Address(arn), Port: l.Port, Rules: l.Rules, Counts: m.plane.ListenerCounts(arn)}
	}
	return out
}

func (m *management) postFault(w http.ResponseWriter, r *http.Request) {
	var f faults.Fault
	var id int
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBodyBytes)).Decode(&f)
	if err == nil {
		id, err = m.faults.Add(f)
	}
	if err != nil {
		m.writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	m.writeJSON(w, http.StatusCreated, map[string]int{"id": id})
}

func (m *management) deleteFault(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil || !m.faults.Remove(id) {
		m.writeJSON(w, http.StatusNotFound, map[string]string{"error": "no such fault: " + r.PathValue("id")})
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// postHealth sets what the checkers of a health check find.
func (m *management) postHealth(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Healthy *bool `json:"healthy"`
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBodyBytes)).Decode(&body)
	if err == nil && body.Healthy == nil {
		err = errors.New(`the body must be {"healthy": true} or {"healthy": false}`)
	}
	if err != nil {
		m.writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	if err := m.route53.SetHealth(r.PathValue("id"), *body.Healthy); err != nil {
		m.writeJSON(w, http.StatusNotFound, map[string]string{"error": err.Error()})
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (m *management) writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		m.log.Debug("client disconnected", "error", err)
	}
}
