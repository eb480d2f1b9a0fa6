package label_test

import (
	"fmt"

	"github.com/pioneerdesk/tomkit/abac/label"
)

func Example() {
	report, err := label.Parse("NATO:SECRET;any:Releasable%20To=DEU,FRA")
	if err != nil {
		panic(err)
	}
	for _, held := range []label.Held{{"Releasable To": {"DEU"}}, {"Releasable To": {"USA"}}} {
		clearance, err := label.NATO().Clearance("SECRET", held)
		if err != nil {
			panic(err)
		}
		fmt.Println(clearance, clearance.Dominates(report))
	}
	// Output:
	// NATO:SECRET;Releasable%20To=DEU true
	// NATO:SECRET;Releasable%20To=USA false
}

// What is put together from several sources carries the join of their labels.
func ExamplePolicy_Join() {
	amber, err := label.TLP().Label("AMBER")
	if err != nil {
		panic(err)
	}
	green, err := label.TLP().Label("GREEN")
	if err != nil {
		panic(err)
	}
	report, ok := label.TLP().Join(amber, green)
	fmt.Println(report, ok)
	// Output:
	// TLP:AMBER true
}
