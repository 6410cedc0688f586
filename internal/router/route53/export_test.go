package route53

// What the tests call.
var (
	Avoiding = avoiding
	MostOf   = mostOf
)
