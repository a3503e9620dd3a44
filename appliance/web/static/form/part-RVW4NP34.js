import{a as m}from"./part-ASETBRYB.js";import{c as e}from"./part-7PPAIAPH.js";import"./part-L4JA4WAB.js";e({localeCode:"nl-BE",strings:m,nativeName:"vlaams",englishName:"Flemish"});
