module github.com/pioneerdesk/tomkit/examples/abac/chi

go 1.26.0

require (
	github.com/go-chi/chi/v5 v5.5.0
	github.com/pioneerdesk/tomkit v0.0.0
	github.com/stretchr/testify v1.12.1
)

require (
	github.com/google/uuid v1.6.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)

replace github.com/pioneerdesk/tomkit => ../../..
