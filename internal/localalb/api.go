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

// call is one API call while it is carried out. A write has a state of its own to change.
type call struct {
	params
	server *Server
	state  *state
	region string
}

// operation is what an action does. run answers the value of the Result element.
type operation struct {
	write bool
	run   func(*call) (any, error)
}

// operations is every action that is simulated.
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

// ServeHTTP answers one request, to Elastic Load Balancing in the form of the Query API or to CloudWatch.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if speak, ok := dialectOf(r); ok {
		s.serveCloudWatch(w, r, speak)
		return
	}
	id := requestID()
	form, err := readForm(w, r)
	if err != nil {
		s.answerError(w, id, asAPIError(err))
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
	body, failure := s.carryOut(r, id, entry)
	switch {
	case errors.Is(failure, errDropped):
		panic(http.ErrAbortHandler) // net/http's way to close a connection without an answer
	case failure != nil:
		known := asAPIError(failure)
		s.journal.end(entry, known.status, known.code)
		s.answerError(w, id, known)
	default:
		s.journal.end(entry, http.StatusOK, "")
		s.answer(w, id, http.StatusOK, body)
	}
}

// errDropped stands for a call that gets no answer.
var errDropped = errors.New("connection dropped")

func (s *Server) carryOut(r *http.Request, id string, entry *Call) ([]byte, error) {
	if err := s.admit(r, entry); err != nil {
		return nil, err
	}
	if entry.Action == "GetCallerIdentity" && entry.Service == serviceSTS {
		return s.callerIdentity(id)
	}
	op, known := s.operations[entry.Action]
	if !known || entry.Params.Get("Version") != apiVersion {
		return nil, refuse("InvalidAction", "Could not find operation %s for version %s", entry.Action, entry.Params.Get("Version"))
	}
	hit, err := s.misbehave(r.Context(), entry, op.write)
	if err != nil {
		return nil, err
	}
	result, err := s.run(op, &call{params: params{values: entry.Params}, server: s, region: s.regionOf(r)}, hit)
	if hit.kind == DropAnswer {
		return nil, errDropped
	}
	if err != nil {
		return nil, err
	}
	return encodeResult(namespace, entry.Action, id, result)
}

// admit calls the hooks and refuses a call without a signature.
func (s *Server) admit(r *http.Request, entry *Call) error {
	s.journal.callHooks(entry)
	if r.Header.Get("Authorization") == "" && !entry.Params.Has("X-Amz-Signature") {
		return &apiError{status: http.StatusForbidden, code: "MissingAuthenticationToken", message: "Missing Authentication Token"}
	}
	return nil
}

// misbehave lets the faults that a call meets act on it, and answers what is left for the call itself.
func (s *Server) misbehave(ctx context.Context, entry *Call, write bool) (effects, error) {
	hit := s.faults.meet(*entry, write)
	if err := hold(ctx, hit.wait); err != nil {
		return hit, errDropped
	}
	if failure := hit.failure(*entry, s.cfg.account); failure != nil {
		return hit, failure
	}
	if hit.kind == DropConnection {
		return hit, errDropped
	}
	return hit, nil
}

// run lets an operation work on the right state and takes over what a write made of its copy.
func (s *Server) run(op operation, c *call, hit effects) (any, error) {
	if !op.write {
		c.state = s.current.Load()
		if previous := s.previous.Load(); hit.stale && previous != nil {
			c.state = previous
		}
		return op.run(c)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	before := s.current.Load()
	c.state = before.clone()
	result, err := op.run(c)
	if err != nil || hit.kind == LostWrite {
		return result, err
	}
	if err := s.plane.apply(c.state, s.cfg.settle+hit.late); err != nil {
		return nil, err
	}
	s.previous.Store(before)
	s.current.Store(c.state)
	return result, nil
}

func hold(ctx context.Context, d time.Duration) error {
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

// readForm takes parameters from the body and from the URL, as AWS does.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	raw, err := readPacked(w, r)
	if err != nil {
		return nil, err
	}
	form, err := parseForm(r.URL.RawQuery, string(raw))
	if err != nil {
		return nil, refuse("MalformedQueryString", "The query string contains a syntax error")
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

// regionOf reads the region from the scope of the signature, as every AWS endpoint serves one region.
func (s *Server) regionOf(r *http.Request) string {
	_, scope, found := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	if !found {
		return s.cfg.region
	}
	scope, _, _ = strings.Cut(scope, ",")
	parts := strings.Split(scope, "/")
	if len(parts) < 5 || parts[len(parts)-3] == "" {
		return s.cfg.region
	}
	return parts[len(parts)-3]
}

func (s *Server) answerError(w http.ResponseWriter, id string, failure *apiError) {
	body, err := encodeError(namespace, id, failure)
	if err != nil {
		s.log.Error("cannot encode an error", "error", err)
	}
	s.answer(w, id, failure.status, body)
}

// answer writes a document, in XML unless the header says something else already.
func (s *Server) answer(w http.ResponseWriter, id string, status int, body []byte) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "text/xml")
	}
	w.Header().Set("X-Amzn-Requestid", id)
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		s.log.Debug("the caller is gone", "error", err)
	}
}

// callerIdentity answers the one STS call that the AWS tools make before they use a balancer.
func (s *Server) callerIdentity(id string) ([]byte, error) {
	return encodeResult("https://sts.amazonaws.com/doc/2011-06-15/", "GetCallerIdentity", id, struct {
		Arn     string
		UserID  string `xml:"UserId"`
		Account string
	}{"arn:aws:iam::" + s.cfg.account + ":user/local", "AIDALOCALALB", s.cfg.account})
}

// requestID is a random UUID, as every AWS answer carries one.
func requestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
