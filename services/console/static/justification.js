// The agency is asked for only with a case of another agency. What stands in the field is sent all the same.
const kind = document.getElementById("f-case_number_kind");
const agency = document.getElementById("f-outside_agency");
const OUTSIDE = "7"; // CASE_NUMBER_KIND_OUTSIDE_AGENCY

function follow() {
  agency.closest(".field").hidden = kind.value !== OUTSIDE && !agency.value;
}

if (kind && agency) {
  kind.addEventListener("change", follow);
  follow();
}
