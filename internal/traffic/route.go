package traffic

// Route is a listener, rule or record that sends traffic to groups by weight.
type Route struct {
	Entry string // the entry point that it belongs to
	ID    string // of the router; for ELB the ARN
}
