package localalb

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	apiVersion   = "2015-12-01"
	stsVersion   = "2011-06-15"
	maxFormBytes = 1 << 20
)

// call is the context of one API call. A write gets its own clone of the state.
type call struct {
	params
	server *Server
	state  *state
	region string
}

// operation is the implementation of an action. run returns the value of the Result element.
type operation struct {
	write bool
	run   func(*call) (any, error)
}

// operations returns every simulated action of the ELBv2 API.
func operations() map[string]operation {
	return map[string]operation{
		"CreateLoadBalancer":             {true, createLoadBalancer},
		"DescribeLoadBalancers":          {false, describeLoadBalancers},
		"DeleteLoadBalancer":             {true, deleteLoadBalancer},
		"SetSecurityGroups":              {true, setSecurityGroups},
		"SetSubnets":                     {true, setSubnets},
		"SetIpAddressType":               {true, setIPAddressType},
		"DescribeCapacityReservation":    {false, describeCapacityReservation},
		"DescribeLoadBalancerAttributes": {false, describeLoadBalancerAttributes},
		"ModifyLoadBalancerAttributes":   {true, modifyLoadBalancerAttributes},
		"CreateTargetGroup":              {true, createTargetGroup},
		"DescribeTargetGroups":           {false, describeTargetGroups},
		"ModifyTargetGroup":              {true, modifyTargetGroup},
		"DeleteTargetGroup":              {true, deleteTargetGroup},
		"DescribeTargetGroupAttributes":  {false, describeTargetGroupAttributes},
		"ModifyTargetGroupAttributes":    {true, modifyTargetGroupAttributes},
		"RegisterTargets":                {true, registerTargets},
		"DeregisterTargets":              {true, deregisterTargets},
		"DescribeTargetHealth":           {false, describeTargetHealth},
		"CreateListener":                 {true, createListener},
		"DescribeListeners":              {false, describeListeners},
		"ModifyListener":                 {true, modifyListener},
		"DeleteListener":                 {true, deleteListener},
		"DescribeListenerAttributes":     {false, describeListenerAttributes},
		"ModifyListenerAttributes":       {true, modifyListenerAttributes},
		"DescribeListenerCertificates":   {false, describeListenerCertificates},
		"CreateRule":                     {true, createRule},
		"DescribeRules":                  {false, describeRules},
		"ModifyRule":                     {true, modifyRule},
		"DeleteRule":                     {true, deleteRule},
		"SetRulePriorities":              {true, setRulePriorities},
		"AddTags":                        {true, addTags},
		"RemoveTags":                     {true, removeTags},
		"DescribeTags":                   {false, describeTags},
	}
}

// ServeHTTP handles one request to the ELBv2 Query API, to CloudWatch or to STS.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if proto, ok := protocolOf(r); ok {
		s.serveCloudWatch(w, r, proto)
		return
	}
	id := requestID()
	form, err := readForm(w, r)
	if err != nil {
		s.writeError(w, id, asAPIError(err))
		return
	}
	if form.Get("Version") == cloudWatchVersion {
		s.serveCloudWatchForm(w, r, form)
		return
	}
	service := serviceELB
	if form.Get("Version") == stsVersion {
		service = serviceSTS
	}
	entry := s.journal.begin(Call{Service: service, Action: form.Get("Action"), Params: form})
	body, failure := s.execute(r, id, entry)
	switch {
	case errors.Is(failure, errDropped):
		panic(http.ErrAbortHandler) // makes net/http close the connection without a response
	case failure != nil:
		known := asAPIError(failure)
		s.journal.end(entry, known.status, known.code)
		s.writeError(w, id, known)
	default:
		s.journal.end(entry, http.StatusOK, "")
		s.writeResponse(w, id, http.StatusOK, body)
	}
}

// errDropped marks a call whose connection is closed without a response.
var errDropped = errors.New("connection dropped")

func (s *Server) execute(r *http.Request, id string, entry *Call) ([]byte, error) {
	if err := s.admit(r, entry); err != nil {
		return nil, err
	}
	if entry.Action == "GetCallerIdentity" && entry.Service == serviceSTS {
		return s.callerIdentity(id)
	}
	op, known := s.operations[entry.Action]
	if !known || entry.Params.Get("Version") != apiVersion {
		return nil, badRequest("InvalidAction", "Could not find operation %s for version %s", entry.Action, entry.Params.Get("Version"))
	}
	fx, err := s.applyFaults(r.Context(), entry, op.write)
	if err != nil {
		return nil, err
	}
	result, err := s.run(op, &call{params: params{values: entry.Params}, server: s, region: s.regionOf(r)}, fx)
	if fx.kind == DropAnswer {
		return nil, errDropped
	}
	if err != nil {
		return nil, err
	}
	return encodeResult(elbXMLNamespace, entry.Action, id, result)
}

// admit runs the hooks and rejects a call without a signature.
func (s *Server) admit(r *http.Request, entry *Call) error {
	s.journal.callHooks(entry)
	if r.Header.Get("Authorization") == "" && !entry.Params.Has("X-Amz-Signature") {
		return &apiError{status: http.StatusForbidden, code: "MissingAuthenticationToken", message: "Missing Authentication Token"}
	}
	return nil
}

// applyFaults applies the faults that match a call. It returns the effects that are left for the operation itself.
func (s *Server) applyFaults(ctx context.Context, entry *Call, write bool) (effects, error) {
	fx := s.faults.match(*entry, write)
	if err := sleep(ctx, fx.callDelay); err != nil {
		return fx, errDropped
	}
	if failure := fx.failure(*entry, s.cfg.account); failure != nil {
		return fx, failure
	}
	if fx.kind == DropConnection {
		return fx, errDropped
	}
	return fx, nil
}

// run executes an operation on the right state and commits the state that a write has changed.
func (s *Server) run(op operation, c *call, fx effects) (any, error) {
	if !op.write {
		c.state = s.current.Load()
		if previous := s.previous.Load(); fx.stale && previous != nil {
			c.state = previous
		}
		return op.run(c)
	}
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	before := s.current.Load()
	c.state = before.clone()
	result, err := op.run(c)
	if err != nil || fx.kind == LostWrite {
		return result, err
	}
	if err := s.plane.apply(c.state, s.cfg.propagation+fx.syncDelay); err != nil {
		return nil, err
	}
	s.previous.Store(before)
	s.current.Store(c.state)
	return result, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// readForm reads parameters from the body and from the URL, as AWS does.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	raw, err := readBody(w, r)
	if err != nil {
		return nil, err
	}
	form, err := parseForm(r.URL.RawQuery, string(raw))
	if err != nil {
		return nil, badRequest("MalformedQueryString", "The query string contains a syntax error")
	}
	return form, nil
}

func parseForm(query, body string) (url.Values, error) {
	form, err := url.ParseQuery(body)
	if err != nil {
		return nil, err
	}
	extra, err := url.ParseQuery(query)
	if err != nil {
		return nil, err
	}
	for key, values := range extra {
		if _, both := form[key]; !both {
			form[key] = values
		}
	}
	return form, nil
}

// regionOf returns the region in the credential scope of the signature, or the default region.
func (s *Server) regionOf(r *http.Request) string {
	_, scope, ok := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	if !ok {
		return s.cfg.region
	}
	scope, _, _ = strings.Cut(scope, ",")
	parts := strings.Split(scope, "/")
	if len(parts) < 5 || parts[len(parts)-3] == "" {
		return s.cfg.region
	}
	return parts[len(parts)-3]
}

func (s *Server) writeError(w http.ResponseWriter, id string, failure *apiError) {
	body, err := encodeError(elbXMLNamespace, id, failure)
	if err != nil {
		s.log.Error("cannot encode an error", "error", err)
	}
	s.writeResponse(w, id, failure.status, body)
}

// writeResponse writes a response body. It is XML unless the Content-Type header is already set.
func (s *Server) writeResponse(w http.ResponseWriter, id string, status int, body []byte) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "text/xml")
	}
	w.Header().Set("X-Amzn-Requestid", id)
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		s.log.Debug("client disconnected", "error", err)
	}
}

// callerIdentity serves the only STS call that AWS tools make before they call ELB.
func (s *Server) callerIdentity(id string) ([]byte, error) {
	return encodeResult("https://sts.amazonaws.com/doc/2011-06-15/", "GetCallerIdentity", id, struct {
		Arn     string
		UserID  string `xml:"UserId"`
		Account string
	}{"arn:aws:iam::" + s.cfg.account + ":user/local", "AIDALOCALALB", s.cfg.account})
}

// requestID returns a random UUID, the form of AWS request IDs.
func requestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never returns an error
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
