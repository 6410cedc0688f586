package localaws

import (
	"net/http"
	"time"
)

// ServeHTTP handles a request to the API without a connection.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.endpoint.ServeHTTP(w, r) }

// WithNow sets the clock of CloudWatch, of Route 53 and of late tags.
func WithNow(now func() time.Time) Option {
	return func(c *config) { c.now = now }
}
