package localalb

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// managementHandler serves the management port. All response bodies are JSON.
func (s *Server) managementHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		s.writeJSON(w, http.StatusOK, map[string]string{"status": "ok", "endpoint": s.URL()})
	})
	mux.HandleFunc("GET /listeners", func(w http.ResponseWriter, _ *http.Request) {
		s.writeJSON(w, http.StatusOK, s.listenerStatus())
	})
	mux.HandleFunc("GET /counts", func(w http.ResponseWriter, _ *http.Request) {
		s.writeJSON(w, http.StatusOK, s.plane.allCounts())
	})
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) {
		s.writeJSON(w, http.StatusOK, s.faults.list())
	})
	mux.HandleFunc("POST /faults", s.postFault)
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, _ *http.Request) {
		s.faults.remove(0)
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("DELETE /faults/{id}", s.deleteFault)
	return mux
}

// listenerStatus is a listener in a response of the management port.
type listenerStatus struct {
	Address string         `json:"address"`
	Port    int            `json:"port"`
	Rules   []ruleStatus   `json:"rules"`
	Counts  ListenerCounts `json:"counts"`
}

type ruleStatus struct {
	ARN      string         `json:"arn"`
	Priority string         `json:"priority"`
	Actions  []string       `json:"actions"`
	Weights  map[string]int `json:"weights,omitempty"`
}

func (s *Server) listenerStatus() map[string]listenerStatus {
	now := s.current.Load()
	out := map[string]listenerStatus{}
	for arn, l := range now.listeners {
		status := listenerStatus{Address: s.ListenerAddr(arn), Port: l.port, Counts: s.ListenerCounts(arn)}
		for _, r := range now.rulesOf(arn) {
			status.Rules = append(status.Rules, describeRule(r))
		}
		out[arn] = status
	}
	return out
}

func describeRule(r *rule) ruleStatus {
	out := ruleStatus{ARN: r.arn, Priority: showRule(r).Priority}
	for _, a := range r.actions {
		out.Actions = append(out.Actions, a.Type)
		if a.ForwardConfig == nil {
			continue
		}
		out.Weights = map[string]int{}
		for _, g := range a.ForwardConfig.TargetGroups.Members {
			out.Weights[g.TargetGroupArn] = g.share()
		}
	}
	return out
}

func (p *plane) allCounts() map[string]Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[string]Counts{}
	for arn, c := range p.groupCounts {
		out[arn] = c.readAll()
	}
	return out
}

func (s *Server) postFault(w http.ResponseWriter, r *http.Request) {
	var f Fault
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxFormBytes)).Decode(&f); err != nil {
		s.writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	s.writeJSON(w, http.StatusCreated, map[string]int{"id": s.faults.add(f)})
}

func (s *Server) deleteFault(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil || id < 1 || !s.faults.remove(id) {
		s.writeJSON(w, http.StatusNotFound, map[string]string{"error": "no such fault: " + r.PathValue("id")})
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		s.log.Debug("client disconnected", "error", err)
	}
}
